"""ROUGE-L, as in COCO's evaluation.

    ROUGE-L = (1 + beta^2) P R / (R + beta^2 P),   beta = 1.2

P is the length of the longest common subsequence of the candidate and a reference divided by the
length of the candidate, R divided by that of the reference; each is the maximum over the
references. The ROUGE-L of a set is the mean over its images.

Source: C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.
"""

from collections.abc import Sequence

from limner.metrics.ngrams import Tokens

BETA = 1.2


def rouge_l(candidate: Tokens, references: Sequence[Tokens]) -> float:
    """ROUGE-L from 0 to 1.

    An empty sentence counts as one empty word, as in COCO's code.

    Args:
        candidate: a tokenized caption.
        references: its tokenized references.

    Returns:
        From 0 to 1.

    >>> round(rouge_l(["a", "red", "dog"], [["a", "dog", "runs"], ["the", "red", "dog"]]), 4)
    0.6667
    """
    candidate = candidate or [""]
    positions: dict[str, int] = {}  # a bit mask of the positions of each word in the candidate
    for i, token in enumerate(candidate):
        positions[token] = positions.get(token, 0) | 1 << i
    common = [_common(positions, len(candidate), reference or [""]) for reference in references]
    precision = max(common) / len(candidate)
    recall = max(c / (len(r) or 1) for c, r in zip(common, references, strict=True))
    if not precision:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _common(positions: dict[str, int], length: int, reference: Tokens) -> int:
    """The length of the longest common subsequence, by bit-parallel dynamic programming.

    Adjacent cells of a column of the table differ by 0 or 1; the bits of `flat` are 1 for a
    difference of 0. Source: H. Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004.
    """
    every = (1 << length) - 1
    flat = every
    for token in reference:
        match = flat & positions.get(token, 0)
        flat = ((flat + match) | (flat - match)) & every
    return length - flat.bit_count()
