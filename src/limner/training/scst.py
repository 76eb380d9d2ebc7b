"""Self-critical sequence training (SCST): sampled captions, weighted by their reward.

K captions are sampled per image. The loss increases the probability of those with a reward above
the mean reward of the image's other samples (the baseline), and decreases that of the others:

    loss = - sum over captions of (reward - baseline) log p(caption)

which is the policy gradient of the expected reward. The reward is CIDEr-D, with the document
frequencies of the training references, plus a smoothed BLEU-4, whose brevity penalty prevents short
captions. Some reference captions remain in the loss, since otherwise the diversity decreases.

Sources: S. J. Rennie et al., "Self-critical sequence training for image captioning", CVPR 2017; the
baseline: R. Luo, "A better variant of self-critical sequence training", 2020; the mixed loss: Y. Wu
et al., "Google's neural machine translation system", 2016.

Shapes: B captions of M images, K samples per image, T tokens.
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
"""Share of the reference captions of a batch that is in the loss."""


class SelfCritical(Objective):
    """Sampled captions, weighted by their advantage, and some reference captions.

    Args:
        references: tokenized references of each training image.
        word_to_idx: the vocabulary.
        samples: K, at least 2.
        likelihood: weight of each reference caption in the loss.
        bleu: weight of BLEU-4 (from 0 to 1) in the reward; CIDEr-D is from 0 to 10.
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
        """Minus the mean reward of the last samples."""
        return -self._reward

    def _texts(self, tokens: Int[Array, "N T"]) -> list[Tokens]:
        return [tokenize(self._vocabulary.decode(row)) for row in tokens]
