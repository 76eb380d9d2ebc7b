"""Self-critical training (SCST): captions that the model draws itself, weighted by their reward.

Several captions are drawn for every image. Those with a reward above the others' of the same image
become likelier, those below it less likely:

    loss = - sum over captions of (reward - mean reward of the image's others) log p(caption)

which is the policy gradient of the expected reward. The reward is CIDEr-D, with the document
frequencies of the training references, plus a smoothed BLEU-4, whose brevity penalty keeps captions
from getting short; and some of the people's captions stay in the loss, or the captions grow alike.

Sources: S. J. Rennie et al., "Self-critical sequence training for image captioning", CVPR 2017; the
mean of the others as the baseline: R. Luo, "A better variant of self-critical sequence training",
2020; likelihood mixed in: Y. Wu et al., "Google's neural machine translation system", 2016.

Shapes: B captions of M images, K drawn of each, T tokens.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from limner.decoding import Constraints, sample
from limner.metrics import CaptionReward, tokenize
from limner.models import Batch
from limner.randomness import global_if_none
from limner.training.objectives import BatchRequest, Objective
from limner.typing import Array, Int
from limner.vocabulary import END, NULL, START, UNK, Vocabulary

Tokens = list[str]

SHARE = 0.4
"""Of people's captions of a step that are in the loss, drawn anew for every step."""


class SelfCritical(Objective):
    """Captions of the model's own, each weighted by its advantage, and some of people's.

    Args:
        references: the tokens of every training image's references.
        word_to_idx: the vocabulary.
        samples: K, captions drawn of each image; 2 or more.
        likelihood: the weight of each of people's captions in the loss.
        bleu: the weight of BLEU-4, from 0 to 1, in the reward; CIDEr-D goes from 0 to 10.
    """

    measure = "reward"
    by_image = True

    def __init__(
        self,
        references: Sequence[Sequence[Tokens]],
        word_to_idx: Mapping[str, int],
        samples: int = 5,
        likelihood: float = 0.2,
        bleu: float = 1.0,
    ) -> None:
        self._vocabulary = Vocabulary.from_mapping(word_to_idx)
        self._ids = word_to_idx
        self._samples = samples
        self._likelihood = likelihood
        self._reward_of = CaptionReward(references, bleu)
        self._reward = 0.0

    def batch(self, request: BatchRequest) -> Batch:
        """See `Objective.batch`."""
        split, rows, _, new_decoder, rng = request
        random, K = global_if_none(rng), self._samples
        features, captions, image_idxs = split.by_image(rows, rng)
        images = np.unique(split.image_idxs[rows])
        ids, M = self._ids, len(images)
        constraints = Constraints(
            ids[START],
            ids[END],
            ids[NULL],
            max_length=captions.shape[1] - 1,
            forbidden=[ids[NULL], ids[START], ids[UNK]],
        )
        tokens, _ = sample(new_decoder(), features, constraints, random, per_image=K)
        drawn_of = np.repeat(np.arange(M), K)
        rewards = self._reward_of(images[drawn_of], self._texts(tokens)).reshape(M, K)
        self._reward = float(rewards.mean())
        others = (rewards.sum(axis=1, keepdims=True) - rewards) / (K - 1)
        advantages = (rewards - others).ravel()

        kept = np.flatnonzero(random.random(len(captions)) < SHARE)
        first = np.full((M * K, 1), ids[START], captions.dtype)
        drawn = np.concatenate([first, tokens.astype(captions.dtype)], axis=1)
        return Batch(
            features,
            np.concatenate([drawn, captions[kept]]),
            np.concatenate([drawn_of, image_idxs[kept]]),
            np.concatenate([advantages, np.full(len(kept), self._likelihood)]),
        )

    def value(self, loss: float) -> float:
        """Minus the mean reward of the captions that were drawn last."""
        return -self._reward

    def _texts(self, tokens: Int[Array, "N T"]) -> list[Tokens]:
        return [tokenize(self._vocabulary.decode(row)) for row in tokens]
