"""The captions as a whole: how long they are, and which words are in them."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from limner.evaluation.evaluate import Evaluation, Tokens
from limner.report.charts import Bars, bar_chart, paired_bars

MODEL, PEOPLE = "the model", "people"

MOST_WORDS = 20
"""Words in the chart."""

UNSAID_WORDS = 24

TAIL = 0.01
"""The longest captions, this share of them, stand in the last bar together."""


def length_chart(evaluation: Evaluation) -> str:
    """How many of the captions, and of the references, have how many words."""
    ours = [len(tokens) for tokens in evaluation.candidate_tokens]
    theirs = [len(tokens) for tokens in _references(evaluation)]
    first = min(ours + theirs)
    last = max(_near_the_end(ours), _near_the_end(theirs), first)
    names = [str(length) for length in range(first, last + 1)]
    if max(ours + theirs) > last:
        names[-1] += "+"
    series = [
        Bars(name, style, _shares([min(length, last) - first for length in lengths], len(names)))
        for name, style, lengths in ((MODEL, "model", ours), (PEOPLE, "people", theirs))
    ]
    return bar_chart("How long the captions are", names, series, "words", "% of the captions")


def word_chart(evaluation: Evaluation) -> str:
    """The model's most frequent words, beside how often people use them."""
    ours, theirs = _used(evaluation.candidate_tokens), _used(_references(evaluation))
    words = sorted(ours, key=lambda word: (-ours[word], word))[:MOST_WORDS]
    if not words:
        return ""
    series = [
        Bars(MODEL, "model", [ours[word] for word in words]),
        Bars(PEOPLE, "people", [theirs.get(word, 0.0) for word in words]),
    ]
    return paired_bars("The model's favourite words", words, series, "% of the captions have it")


def unsaid(evaluation: Evaluation) -> str:
    """What people say most often and the model never does."""
    ours, theirs = _used(evaluation.candidate_tokens), _used(_references(evaluation))
    words = sorted(theirs.keys() - ours.keys(), key=lambda word: (-theirs[word], word))
    if not words:
        return "The model uses every word that people use here."
    most = ", ".join(f"<i>{escape(word)}</i>" for word in words[:UNSAID_WORDS])
    return (
        f"The model uses {len(ours):,} words, people {len(theirs):,}. What people say most often "
        f"and the model never does: {most}."
    )


def _references(evaluation: Evaluation) -> list[Tokens]:
    return [tokens for several in evaluation.reference_tokens for tokens in several]


def _used(captions: Sequence[Tokens]) -> dict[str, float]:
    """In how many captions each word is, in per cent."""
    counts = Counter(word for tokens in captions for word in set(tokens))
    return {word: 100 * count / len(captions) for word, count in counts.items()}


def _near_the_end(lengths: Sequence[int]) -> int:
    return sorted(lengths)[int((1 - TAIL) * (len(lengths) - 1))]


def _shares(places: Sequence[int], count: int) -> list[float]:
    """How much of all is at each place, in per cent."""
    counts = Counter(places)
    return [100 * counts[place] / len(places) for place in range(count)]
