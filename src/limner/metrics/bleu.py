"""BLEU, of an image and of a whole set, as COCO's evaluation computes it.

    BLEU-n = brevity * (p_1 * ... * p_n)^(1/n)

p_k is the share of the candidates' k-grams that a reference has too, each k-gram counted at most
as often as in the reference that has most of it. `brevity` is `exp(1 - r/c)` where the candidates'
words c are fewer than r, the words of each image's reference that is closest in length. A set's
BLEU is not the mean of its images': it is computed from counts that are summed over the images.

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
    """BLEU-1 to BLEU-4, from 0 to 1, from counts that `bleu_counts` gave, or sums of them.

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
    """What BLEU needs of every image: matched n-grams (K), n-grams (K), c and r."""
    matched = [_matched(corpus, n) for n in range(MAX_N)]
    length = np.array([len(candidate) for candidate in corpus.candidates])
    total = [np.maximum(length - n, 0) for n in range(MAX_N)]
    closest = [
        closest_length(len(candidate), [len(reference) for reference in references])
        for candidate, references in zip(corpus.candidates, corpus.references, strict=True)
    ]
    return np.stack([*matched, *total, length, closest], axis=1).astype(float)


def closest_length(length: int, reference_lengths: Sequence[int]) -> int:
    """The reference length closest to `length`; of two as close, the shorter."""
    return min(reference_lengths, key=lambda r: (abs(r - length), r))


def _matched(corpus: Corpus, n: int) -> Float[Array, " N"]:
    """Of every image's candidate, the n-grams found in its references, clipped."""
    candidate, reference = corpus.candidate_ngrams[n], corpus.reference_ngrams[n]
    wanted = reference.keys(corpus.image)
    order = np.argsort(wanted, kind="stable")
    distinct, starts = np.unique(wanted[order], return_index=True)
    most = np.maximum.reduceat(reference.count[order], starts) if len(starts) else starts
    found = lookup(candidate.keys(np.arange(len(corpus.candidates))), distinct, most)
    matched: Array = np.bincount(
        candidate.sentence,
        np.minimum(candidate.count, found),
        minlength=len(corpus.candidates),
    )
    return matched
