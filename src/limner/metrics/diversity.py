"""What scores against references do not show: how varied captions are, and how new."""

from collections.abc import Sequence
from dataclasses import dataclass

from limner.metrics.ngrams import Tokens


@dataclass(frozen=True)
class Diversity:
    """How varied a set of captions is.

    Attributes:
        distinct: different captions, in per cent of the captions.
        vocabulary: different words in them.
        mean_length: words a caption.
        seen: captions that are, word for word, in the training set, in per cent; None where no
            training set is known.
    """

    distinct: float
    vocabulary: int
    mean_length: float
    seen: float | None


def measure_diversity(captions: Sequence[Tokens], training: Sequence[Tokens] = ()) -> Diversity:
    """Measure tokenised captions, against those of the training set, where there are any.

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
