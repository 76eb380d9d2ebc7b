"""BLEU over a whole set of captions, as COCO's evaluation computes it.

    BLEU-n = brevity * (p_1 * ... * p_n)^(1/n)

p_k is the share of the candidates' k-grams that a reference has too, each k-gram counted at most
as often as in the reference that has most of it. `brevity` is `exp(1 - r/c)` where the candidates'
words c are fewer than r, the words of each picture's reference that is closest in length.

Source: K. Papineni et al., "BLEU: a method for automatic evaluation of machine translation",
ACL 2002; the small constants are those of COCO's evaluation code.
"""

import math
from collections import Counter
from collections.abc import Sequence

TINY, SMALL = 1e-15, 1e-9

Tokens = Sequence[str]


def corpus_bleu(
    candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]], max_n: int = 4
) -> list[float]:
    """BLEU-1 to BLEU-max_n, each from 0 to 1.

    Args:
        candidates: one tokenised caption a picture.
        references: one or more tokenised captions a picture, in the same order.
        max_n: the longest n-gram.

    Raises:
        ValueError: if there are not as many candidates as sets of references, or none.

    >>> scores = corpus_bleu([["a", "red", "dog"]], [[["a", "red", "dog", "runs"]]], max_n=2)
    >>> [round(score, 4) for score in scores]
    [0.7165, 0.7165]
    """
    if len(candidates) != len(references) or not candidates:
        raise ValueError(f"{len(candidates)} candidates for {len(references)} sets of references")
    matched, total = [0] * max_n, [0] * max_n
    candidate_length = reference_length = 0
    for candidate, wanted in zip(candidates, references, strict=True):
        candidate_length += len(candidate)
        reference_length += closest_length(len(candidate), [len(r) for r in wanted])
        for n in range(1, max_n + 1):
            total[n - 1] += max(0, len(candidate) - n + 1)
            matched[n - 1] += _matches(candidate, wanted, n)

    ratio = (candidate_length + TINY) / (reference_length + SMALL)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    scores, product = [], 1.0
    for n in range(1, max_n + 1):
        product *= (matched[n - 1] + TINY) / (total[n - 1] + SMALL)
        scores.append(brevity * product ** (1 / n))
    return scores


def closest_length(length: int, reference_lengths: Sequence[int]) -> int:
    """The reference length closest to `length`; of two as close, the shorter."""
    return min(reference_lengths, key=lambda r: (abs(r - length), r))


def _matches(candidate: Tokens, references: Sequence[Tokens], n: int) -> int:
    """n-grams of the candidate found in the references, clipped."""
    most: Counter[tuple[str, ...]] = Counter()
    for reference in references:
        most |= _ngrams(reference, n)
    return (_ngrams(candidate, n) & most).total()


def _ngrams(tokens: Tokens, n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
