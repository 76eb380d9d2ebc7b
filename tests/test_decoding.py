from itertools import pairwise

import numpy as np
import pytest

from limner.decoding import greedy, log_softmax

START, END, NULL = 1, 2, 0


def scripted(rows):
    """A step that says, whatever it is told, the next word of each row's script, for sure."""

    def step(words, t):
        scores = np.zeros((len(rows), 8))
        for n, row in enumerate(rows):
            scores[n, row[min(t, len(row) - 1)]] = 50.0
        return scores, t + 1

    return step


def test_each_caption_ends_on_its_own():
    rows = [[4, 5, END], [END], [6, 7, 4, 5]]
    words, _ = greedy(scripted(rows), 0, 3, start=START, end=END, max_length=4)
    assert words.dtype == np.int32
    assert words.tolist() == [[4, 5, END, 0], [END, 0, 0, 0], [6, 7, 4, 5]]


def test_it_stops_when_all_have_ended():
    calls = []
    inner = scripted([[4, END], [END]])

    def step(words, t):
        calls.append(words.tolist())
        return inner(words, t)

    greedy(step, 0, 2, start=START, end=END, max_length=30)
    assert calls == [[START, START], [4, END]]


def test_without_an_end_it_goes_on():
    words, _ = greedy(scripted([[END, 4]]), 0, 1, start=START, end=None, max_length=3)
    assert words.tolist() == [[END, 4, 4]]


def test_words_and_states_are_handed_on():
    def step(words, state):
        total = state + words
        return np.eye(8)[total % 8] * 50, total

    words, _ = greedy(step, np.array([0, 3]), 2, start=1, end=None, max_length=3)
    # totals: 1, 1+1, 2+2 ; and 3+1, 4+4, 8+0
    assert words.tolist() == [[1, 2, 4], [4, 0, 0]]


def test_log_probability_is_the_sum_over_the_words_said(rng):
    table = rng.standard_normal((8, 8))

    def step(words, state):
        return table[words], state

    words, total = greedy(step, None, 1, start=START, end=END, max_length=6)
    said = [int(w) for w in words[0] if w != NULL or w == END]
    path = [START, *said]
    expected = sum(log_softmax(table)[a, b] for a, b in pairwise(path))
    assert total[0] == pytest.approx(expected)


def test_forbidden_words_are_never_said():
    def step(words, state):
        return np.tile([9.0, 0, 0, 8, 7, 6, 0, 0], (len(words), 1)), state

    words, total = greedy(step, None, 1, start=START, end=END, max_length=2, forbidden=[0, 3])
    assert words.tolist() == [[4, 4]]
    left = np.exp([0, 0, 7, 6, 0, 0])
    assert total[0] == pytest.approx(2 * (7 - np.log(left.sum())))


def test_log_softmax_of_huge_scores():
    out = log_softmax(np.array([[1e4, -1e4, -np.inf]]))
    assert out.tolist() == [[0.0, -2e4, -np.inf]]
