"""ROUGE-L of an image, as COCO's evaluation computes it.

    ROUGE-L = (1 + beta^2) P R / (R + beta^2 P),   beta = 1.2

P is the longest common subsequence of the candidate and a reference, as a share of the candidate's
words, and R as a share of the reference's; each is the highest over the references. A set's ROUGE-L
is the mean over its images.

Source: C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.
"""

from collections.abc import Sequence

from limner.metrics.ngrams import Tokens

BETA = 1.2


def rouge_l(candidate: Tokens, references: Sequence[Tokens]) -> float:
    """ROUGE-L from 0 to 1.

    A sentence without words counts as one empty word, as in COCO's code.

    >>> round(rouge_l(["a", "red", "dog"], [["a", "dog", "runs"], ["the", "red", "dog"]]), 4)
    0.6667
    """
    candidate = candidate or [""]
    places: dict[str, int] = {}  # of each word in the candidate, a bit a place
    for i, token in enumerate(candidate):
        places[token] = places.get(token, 0) | 1 << i
    common = [_common(places, len(candidate), reference or [""]) for reference in references]
    precision = max(common) / len(candidate)
    recall = max(c / (len(r) or 1) for c, r in zip(common, references, strict=True))
    if not precision:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _common(places: dict[str, int], length: int, reference: Tokens) -> int:
    """The length of the longest common subsequence, all places of the candidate at once.

    A column of the usual table differs from cell to cell by 0 or 1. `flat` holds those differences,
    a bit a place, 1 where there is none; an addition carries a match to the next place that is
    free. Source: H. Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004.
    """
    every = (1 << length) - 1
    flat = every
    for token in reference:
        match = flat & places.get(token, 0)
        flat = ((flat + match) | (flat - match)) & every
    return length - flat.bit_count()
