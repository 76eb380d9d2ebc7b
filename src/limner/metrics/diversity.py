"""Diversity and novelty of captions."""

from collections.abc import Sequence
from dataclasses import dataclass

from limner.metrics.ngrams import Tokens


@dataclass(frozen=True)
class Diversity:
    """Diversity of a set of captions.

    Attributes:
        distinct: percentage of different captions.
        vocabulary: number of different words.
        mean_length: mean number of words.
        seen: percentage of captions that occur in the training set; None if it is unknown.
    """

    distinct: float
    vocabulary: int
    mean_length: float
    seen: float | None


def measure_diversity(captions: Sequence[Tokens], training: Sequence[Tokens] = ()) -> Diversity:
    """Measure the diversity of tokenized captions, and their share in the training set.

    Args:
        captions: tokenized captions.
        training: tokenized captions of the training set, if known.

    Returns:
        The diversity.

    Raises:
        ValueError: if there are no captions.

    >>> measure_diversity([["a", "dog"], ["a", "dog"], ["two", "cats", "run"], []], [["a", "dog"]])
    Diversity(distinct=75.0, vocabulary=5, mean_length=1.75, seen=50.0)
    """
    if not captions:
        raise ValueError("no captions")
    sentences = [tuple(caption) for caption in captions]
    known = {tuple(caption) for caption in training}
    count = len(sentences)
    return Diversity(
        distinct=100 * len(set(sentences)) / count,
        vocabulary=len({word for sentence in sentences for word in sentence}),
        mean_length=sum(map(len, sentences)) / count,
        seen=100 * sum(s in known for s in sentences) / count if known else None,
    )
