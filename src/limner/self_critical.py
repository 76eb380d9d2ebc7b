"""Self-critical training: captions that the model draws itself, weighed by how good they are.

Several captions are drawn for every picture. Those with a reward above the others' of the same
picture become likelier, those below it less likely:

    loss = - sum over captions of (reward - mean reward of the picture's others) log p(caption)

which is the policy gradient of the expected reward. The reward is CIDEr-D, with the document
frequencies of the training references, plus a smoothed BLEU-4, whose brevity penalty keeps captions
from getting short; and some of the people's captions stay in the loss, or the captions grow alike.

Sources: S. J. Rennie et al., "Self-critical sequence training for image captioning", CVPR 2017; the
mean of the others as the baseline: R. Luo, "A better variant of self-critical sequence training",
2020; likelihood mixed in: Y. Wu et al., "Google's neural machine translation system", 2016.

Shapes: N captions of M pictures, K drawn of each, T words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding import Limits, sample
from limner.decoding.limits import rows_of
from limner.engine import Engine
from limner.metrics import CaptionReward, tokenize
from limner.models import CaptioningModel
from limner.vocabulary import END, NULL, START, UNK, Vocabulary

Tokens = list[str]


@dataclass(frozen=True)
class SelfCritical:
    """How a model is trained on captions of its own.

    Attributes:
        epochs: passes over the pictures.
        learning_rate: the highest.
        samples: K, captions drawn of each picture; 2 or more.
        likelihood: what each of the people's captions in the loss counts; a drawn one counts its
            advantage.
        share: of the people's captions that is in the loss, drawn anew for every step.
        bleu: what BLEU-4, from 0 to 1, adds to the reward; CIDEr-D goes from 0 to 10.
    """

    epochs: int
    learning_rate: float = 2e-5
    samples: int = 5
    likelihood: float = 0.2
    share: float = 0.4
    bleu: float = 1.0


class Critic:
    """Draws captions, weighs them, and lets an engine learn from them.

    Args:
        how: see `SelfCritical`.
        references: the tokens of every training picture's references.
        model: that is trained.
        rng: draws.
    """

    def __init__(
        self,
        how: SelfCritical,
        references: Sequence[Sequence[Tokens]],
        model: CaptioningModel,
        rng: np.random.Generator,
    ) -> None:
        self.how = how
        self._model = model
        self._vocabulary = Vocabulary.from_mapping(model.word_to_idx)
        self._rng = rng
        self._reward = CaptionReward(references, how.bleu)
        self._never = [model.word_to_idx[word] for word in (NULL, START, UNK)]

    def step(
        self,
        engine: Engine,
        features: Float[Array, "M *_ D"],
        images: Int[Array, " M"],
        captions: Int[Array, "N T"],
        whose: Int[Array, " N"],
    ) -> float:
        """One update; returns minus the mean reward.

        Args:
            engine: that trains the model.
            features: of M pictures.
            images: the rows of these pictures in the references.
            captions: people's, of these pictures.
            whose: the picture of each, 0 to M - 1.
        """
        ids, K, M = self._model.word_to_idx, self.how.samples, len(features)
        T = captions.shape[1]
        limits = Limits(ids[START], ids[END], ids[NULL], T - 1, 0, self._never)
        drawn_of = np.repeat(np.arange(M), K)
        state = rows_of(self._model.initial_state(features), drawn_of)
        words, _ = sample(self._model.stepper(), state, M * K, limits, self._rng)
        rewards = self._reward(images[drawn_of], self._said(words)).reshape(M, K)
        others = (rewards.sum(axis=1, keepdims=True) - rewards) / (K - 1)
        advantages = (rewards - others).ravel()

        kept = np.flatnonzero(self._rng.random(len(captions)) < self.how.share)
        first = np.full((M * K, 1), ids[START], captions.dtype)
        drawn = np.concatenate([first, words.astype(captions.dtype)], axis=1)
        engine.step(
            features,
            np.concatenate([drawn, captions[kept]]),
            np.concatenate([drawn_of, whose[kept]]),
            np.concatenate([advantages, np.full(len(kept), self.how.likelihood)]),
        )
        return -float(rewards.mean())

    def _said(self, words: Int[Array, "N T"]) -> list[Tokens]:
        return [tokenize(self._vocabulary.decode(row)) for row in words]
