import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.metrics.rouge import BETA, rouge_l

SENTENCE = st.lists(st.sampled_from("abcd"), max_size=12)


def longest_common(a, b):
    """The textbook's table."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            best = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else best
    return table[-1][-1]


@given(SENTENCE.filter(bool), st.lists(SENTENCE.filter(bool), min_size=1, max_size=4))
def test_equals_the_textbook(candidate, references):
    common = [longest_common(candidate, reference) for reference in references]
    p = max(c / len(candidate) for c in common)
    r = max(c / len(reference) for c, reference in zip(common, references, strict=True))
    expected = (1 + BETA**2) * p * r / (r + BETA**2 * p) if p else 0
    assert rouge_l(candidate, references) == pytest.approx(expected, abs=1e-12)


def test_without_words():
    assert rouge_l([], [["a"]]) == 0
    assert rouge_l([], [["a"], []]) == 1  # as COCO's code has it
    assert rouge_l(["a"], [[]]) == 0


def test_longer_than_a_machine_word():
    words = [str(i) for i in range(200)]
    assert rouge_l(words, [words]) == pytest.approx(1)
    assert rouge_l(words, [words[::-1]]) == pytest.approx(1 / 200)
