"""BLEU of images and of a set, as in COCO's evaluation.

    BLEU-n = brevity * (p_1 * ... * p_n)^(1/n)

p_k is the clipped precision: the share of k-grams of the candidates that occur in the references,
each counted at most as often as in the reference with most of it. `brevity` is `exp(1 - r/c)` if
the length c of the candidates is below r, the sum of the closest reference lengths, and 1
otherwise. The BLEU of a set is not the mean over images: it is computed from counts summed over
them.

Source: K. Papineni et al., "BLEU: a method for automatic evaluation of machine translation",
ACL 2002; the small constants are those of COCO's evaluation code.

Shapes: N images, K = 4 lengths of n-grams, B any further axes.
"""

from collections.abc import Sequence

import numpy as np

from limner.metrics.corpus import MAX_N, Corpus
from limner.metrics.ngrams import lookup
from limner.typing import Array, Float

TINY, SMALL = 1e-15, 1e-9


def bleu(counts: Float[Array, "*B 2*K+2"]) -> Float[Array, "*B K"]:
    """BLEU-1 to BLEU-4, from 0 to 1.

    Args:
        counts: (..., 10), of `bleu_counts`, or sums of them.

    Returns:
        (..., 4).

    >>> three_of_four_words = np.array([3, 2, 1, 0, 4, 3, 2, 1, 4, 4])
    >>> bleu(three_of_four_words).round(3)
    array([0.75 , 0.707, 0.63 , 0.   ])
    """
    matched, total = counts[..., :MAX_N], counts[..., MAX_N : 2 * MAX_N]
    candidate_length, reference_length = counts[..., -2], counts[..., -1]
    product = np.cumprod((matched + TINY) / (total + SMALL), axis=-1)
    ratio = (candidate_length + TINY) / (reference_length + SMALL)
    brevity = np.exp(np.minimum(1 - 1 / ratio, 0))
    return brevity[..., None] * product ** (1 / np.arange(1, MAX_N + 1))


def bleu_counts(corpus: Corpus) -> Float[Array, "N 2*K+2"]:
    """The counts (N, 10) for BLEU: matched n-grams (K), n-grams (K), c and r of each image.

    Args:
        corpus: candidates and references.
    """
    matched = [_matched(corpus, n) for n in range(MAX_N)]
    length = np.array([len(candidate) for candidate in corpus.candidates])
    total = [np.maximum(length - n, 0) for n in range(MAX_N)]
    closest = [
        closest_length(len(candidate), [len(reference) for reference in references])
        for candidate, references in zip(corpus.candidates, corpus.references, strict=True)
    ]
    return np.stack([*matched, *total, length, closest], axis=1).astype(float)


def closest_length(length: int, reference_lengths: Sequence[int]) -> int:
    """The reference length closest to `length`, the shorter one of two equally close.

    Args:
        length: of the candidate.
        reference_lengths: of its references.
    """
    return min(reference_lengths, key=lambda r: (abs(r - length), r))


def _matched(corpus: Corpus, n: int) -> Float[Array, " N"]:
    """The clipped number of n-grams of each candidate that occur in its references."""
    candidate, reference = corpus.candidate_ngrams[n], corpus.reference_ngrams[n]
    keys = reference.keys(corpus.image)
    order = np.argsort(keys, kind="stable")
    distinct, starts = np.unique(keys[order], return_index=True)
    most = np.maximum.reduceat(reference.count[order], starts) if len(starts) else starts
    found = lookup(candidate.keys(np.arange(len(corpus.candidates))), distinct, most)
    matched: Array = np.bincount(
        candidate.sentence,
        np.minimum(candidate.count, found),
        minlength=len(corpus.candidates),
    )
    return matched
