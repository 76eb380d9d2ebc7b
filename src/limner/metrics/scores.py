"""All scores of images and sets, from 0 to 100.

Shapes: N images, B resampled sets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from limner.metrics.bleu import bleu, bleu_counts
from limner.metrics.cider import DocumentFrequency, cider
from limner.metrics.corpus import MAX_N, Corpus
from limner.metrics.ngrams import Tokens
from limner.metrics.rouge import rouge_l
from limner.typing import Array, Float

BY_CAPTION: dict[str, Callable[[Tokens, Sequence[Tokens]], float]] = {"ROUGE-L": rouge_l}
"""Scores of a tokenized caption against its references, from 0 to 1; those of a set are means."""

BLEU = tuple(f"BLEU-{n}" for n in range(1, MAX_N + 1))


@dataclass(frozen=True)
class Scores:
    """Scores of N captions.

    Attributes:
        per_image: {name: (N,) scores}, from 0 to 100; CIDEr can be larger, up to 1,000.
        bleu: (N, 10) counts for the BLEU of the set, see `bleu_counts`.
    """

    per_image: dict[str, Float[Array, " N"]]
    bleu: Float[Array, "N 10"]

    @property
    def corpus(self) -> dict[str, float]:
        """The scores of the set."""
        once = np.ones((1, len(self.bleu)))
        return {name: float(values[0]) for name, values in self.resampled(once).items()}

    def resampled(self, weights: Float[Array, "B N"]) -> dict[str, Float[Array, " B"]]:
        """The scores of resampled sets; weights are the multiplicities of the images.

        Args:
            weights: (B, N) how often each image occurs in each set.

        Returns:
            {name: (B,) scores}.
        """
        mixed = weights / weights.sum(axis=1, keepdims=True)
        bleus = 100 * bleu(weights @ self.bleu)
        means = {name: mixed @ values for name, values in self.per_image.items()}
        return means | dict(zip(BLEU, bleus.T, strict=True))


def score(
    candidates: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    training: DocumentFrequency | None = None,
) -> Scores:
    """BLEU-1 to 4, ROUGE-L, CIDEr and, given the training set's frequencies, CIDEr-D.

    Args:
        candidates: one tokenized caption per image.
        references: at least one tokenized caption per image, in the same order.
        training: document frequencies for CIDEr-D.

    Returns:
        Scores of the images and the set.

    Raises:
        ValueError: without candidates, or for different numbers of images.

    >>> references = [[["a", "red", "dog"], ["a", "dog"]], [["one", "cat"]]]
    >>> result = score([["a", "red", "dog"], ["one", "dog"]], references)
    >>> {name: round(value, 1) for name, value in result.corpus.items()}
    {'BLEU-1': 80.0, 'BLEU-2': 73.0, 'BLEU-3': 81.1, 'BLEU-4': 2.7, 'ROUGE-L': 75.0, 'CIDEr': 300.3}
    """
    corpus = Corpus.of(candidates, references)
    counts = bleu_counts(corpus)
    per_image = dict(zip(BLEU, bleu(counts).T, strict=True))
    for name, of_caption in BY_CAPTION.items():
        pairs = zip(candidates, references, strict=True)
        per_image[name] = np.array([of_caption(*pair) for pair in pairs])
    per_image["CIDEr"] = cider(corpus)
    if training:
        per_image["CIDEr-D"] = cider(corpus, training)
    return Scores({name: 100 * values for name, values in per_image.items()}, counts)
