"""Bootstrap confidence intervals and significance.

Sets of N images are resampled with replacement and scored. The document frequencies of CIDEr remain
those of the whole set.

Source: P. Koehn, "Statistical significance tests for machine translation evaluation", EMNLP 2004.

Shapes: N images, B resampled sets.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from limner.metrics.scores import Scores
from limner.typing import Array, Float

RESAMPLES = 1000
LEVEL = 95  # per cent
AT_A_TIME = 4_000_000
"""Weights in memory at once."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """The difference of two systems in one score, on the same images.

    Attributes:
        value: second minus first.
        interval: 95 % bootstrap interval of the difference.
        p_value: two-sided: twice the share of resampled sets with a difference of the opposite
            sign, with one added to the count, so that it is never 0.
    """

    value: float
    interval: Interval
    p_value: float

    @property
    def real(self) -> bool:
        """Whether the interval excludes 0."""
        low, high = self.interval
        return low > 0 or high < 0


def intervals(scores: Scores, seed: int = 0) -> dict[str, Interval]:
    """The 95 % bootstrap interval of each score of the set.

    Args:
        scores: of N captions.
        seed: random seed for the resampling.

    Returns:
        {name: (low, high)}.

    >>> from limner.metrics import score
    >>> captions = [["a", "dog"], ["a", "cat"], ["two", "dogs"]] * 30
    >>> low, high = intervals(score(captions, [[["a", "dog"]]] * 90))["BLEU-1"]
    >>> round(low), round(high)
    (42, 59)
    """
    return {name: interval(drawn) for name, drawn in _resample([scores], seed)[0].items()}


def compare(first: Scores, second: Scores, seed: int = 0) -> dict[str, Difference]:
    """The paired bootstrap: both systems are scored on the same resampled sets.

    Args:
        first, second: scores of two systems on the same images, in the same order.
        seed: random seed for the resampling.

    Returns:
        The difference, second minus first, of each score.

    Raises:
        ValueError: if the numbers of images differ.
    """
    if len(first.bleu) != len(second.bleu):
        raise ValueError(f"scores of {len(first.bleu)} and of {len(second.bleu)} images")
    ours, theirs = _resample([first, second], seed)
    before, after = first.corpus, second.corpus
    result = {}
    for name in [name for name in ours if name in theirs]:
        drawn = theirs[name] - ours[name]
        other_ahead = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
        p_value = min(1.0, 2 * (other_ahead + 1) / (len(drawn) + 1))
        result[name] = Difference(after[name] - before[name], interval(drawn), p_value)
    return result


def _resample(systems: list[Scores], seed: int) -> list[dict[str, Float[Array, " B"]]]:
    drawn: list[dict[str, list[Array]]] = [{} for _ in systems]
    for block in weights(len(systems[0].bleu), seed):
        for scores, kept in zip(systems, drawn, strict=True):
            for name, values in scores.resampled(block).items():
                kept.setdefault(name, []).append(values)
    return [{name: np.concatenate(parts) for name, parts in kept.items()} for kept in drawn]


def weights(N: int, seed: int) -> Iterator[Float[Array, "B N"]]:
    """The number of times each image is in each resampled set."""
    rng = np.random.default_rng(seed)
    block = max(AT_A_TIME // N, 1)
    for start in range(0, RESAMPLES, block):
        sets = min(block, RESAMPLES - start)
        yield rng.multinomial(N, np.full(N, 1 / N), size=sets).astype(float)


def interval(drawn: Float[Array, " B"]) -> Interval:
    """The central 95 % interval of values."""
    tail = (100 - LEVEL) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
