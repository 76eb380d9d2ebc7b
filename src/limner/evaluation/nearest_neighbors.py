"""Nearest-neighbor captions, a baseline without learning.

The caption of an image is one of the captions of the k known images with the most similar features
(cosine): the one with the highest sum of similarities to the others, where the similarity is the
cosine of tf-idf weighted n-grams, as in CIDEr.

Source: J. Devlin et al., "Exploring nearest neighbor approaches for image captioning", 2015
(arXiv:1505.04467).

Shapes: N images to caption, M known ones, D features, S captions of the known images, P rows of
n-grams.
"""

from collections.abc import Sequence

import numpy as np

from limner.metrics.corpus import MAX_N
from limner.metrics.ngrams import Ngrams, Tokens, count_ngrams
from limner.typing import Array, Float, Int

NEIGHBOURS = 90
"""The best value in the paper."""

SIMILARITIES = 16_000_000
"""Similarities of two images in memory at once."""


def consensus_captions(
    features: Float[Array, "N D"],
    known: Float[Array, "M D"],
    captions: Sequence[Sequence[Tokens]],
    k: int = NEIGHBOURS,
) -> list[Tokens]:
    """Caption images with captions of known images.

    Args:
        features: of the images to caption.
        known: features of the known images.
        captions: tokenized captions of each known image.
        k: number of neighbors.

    Returns:
        A tokenized caption for each image.

    >>> known = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> captions = [[["a", "dog"], ["a", "puppy"]], [["a", "dog", "runs"]], [["two", "cats"]]]
    >>> consensus_captions(np.array([[2.0, 0.1]]), known, captions, k=2)
    [['a', 'dog', 'runs']]
    """
    sentences = [one for several in captions for one in several]
    first = np.cumsum([0, *(len(several) for several in captions)])
    weighted = [_Weighted(ngrams, len(sentences)) for ngrams in count_ngrams(sentences, MAX_N)]
    chosen = []
    for neighbours in nearest_neighbours(features, known, k):
        pool = np.concatenate([np.arange(first[i], first[i + 1]) for i in neighbours])
        agreement = sum(ngrams.agreement(pool) for ngrams in weighted)
        chosen.append(sentences[pool[np.argmax(agreement)]])
    return chosen


class _Weighted:
    """The n-grams of one length in S sentences, as unit vectors."""

    def __init__(self, ngrams: Ngrams, S: int) -> None:
        often = np.bincount(ngrams.gram, minlength=len(ngrams.texts))
        weight = ngrams.count * np.log(S / often)[ngrams.gram]
        norm = np.sqrt(np.bincount(ngrams.sentence, weight**2, minlength=S))[ngrams.sentence]
        self._weight = np.divide(weight, norm, out=np.zeros(len(weight)), where=norm > 0)
        self._gram = ngrams.gram
        self._starts = np.searchsorted(ngrams.sentence, np.arange(S + 1))

    def agreement(self, pool: Int[Array, " S"]) -> Float[Array, " S"]:
        """The sum of the cosines of each sentence in a pool with all others."""
        starts, lengths = self._starts[pool], np.diff(self._starts)[pool]
        sentence = np.repeat(np.arange(len(pool)), lengths)
        rows = np.arange(lengths.sum()) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        weight = self._weight[rows]
        _, gram = np.unique(self._gram[rows], return_inverse=True)
        total = np.bincount(gram, weight)
        return np.bincount(sentence, weight * total[gram], minlength=len(pool))


def nearest_neighbours(
    features: Float[Array, "N D"], known: Float[Array, "M D"], k: int
) -> Int[Array, "N k"]:
    """Indices of the k rows of `known` with the highest cosine similarity, unordered.

    Args:
        features: (N, D).
        known: (M, D).
        k: number of neighbors.

    >>> nearest_neighbours(np.array([[1.0, 0.1]]), np.array([[0.0, 9.0], [5.0, 0.0]]), k=1)
    array([[1]])
    """
    rows, others = _unit(features), _unit(known)
    k = min(k, len(others))
    block = max(SIMILARITIES // len(others), 1)
    parts = [
        np.argpartition(rows[start : start + block] @ others.T, -k, axis=1)[:, -k:]
        for start in range(0, len(rows), block)
    ]
    return np.concatenate(parts)


def _unit(rows: Float[Array, "N D"]) -> Float[Array, "N D"]:
    rows = np.asarray(rows, dtype=np.float32)
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Array = np.divide(rows, norm, out=np.zeros_like(rows), where=norm > 0)
    return unit
