import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from by_step import beam_search, greedy, sample
from limner.decoding import Constraints

START, END = 1, 2


def uniform(words, state):
    """Every word is as likely, the higher ids a little more."""
    return np.tile(np.arange(6) / 100, (len(words), 1)), state


@given(st.lists(st.integers(3, 5), min_size=1, max_size=9), st.integers(1, 4))
def test_no_ngram_comes_twice(said, n):
    scores = np.zeros((1, 6))
    Constraints(START, END, no_repeat_ngram=n).apply(scores, np.array([said]))
    before = {tuple(said[i : i + n]) for i in range(len(said) - n + 1)}
    for word in range(3, 6):
        new = (*said, word)[-n:]
        assert np.isneginf(scores[0, word]) == (len(new) == n and new in before)


def test_where_no_word_is_left_the_caption_ends():
    constraints = Constraints(START, END, forbidden=[0, 1], min_length=8, no_repeat_ngram=1)
    words, _ = greedy(uniform, (), 1, constraints)
    assert words[0, :5].tolist() == [5, 4, 3, END, 0]


@pytest.mark.parametrize("beam_size", [1, 3])
def test_captions_are_as_long_as_they_must_be(beam_size):
    def step(words, state):
        return np.log([[0.01, 0.01, 0.9, 0.05, 0.03]]).repeat(len(words), axis=0), state

    constraints = Constraints(START, END, min_length=3, forbidden=[0, 1])
    words, _ = beam_search(step, (), 1, constraints, beam_size=beam_size)
    assert words[0, 0, :4].tolist() == [3, 3, 3, END]


@pytest.mark.parametrize(("least", "most"), [(-1, 5), (5, 5), (0, 0)])
def test_lengths_that_do_not_go_together(least, most):
    with pytest.raises(ValueError, match="expected 0 <= min_length < max_length"):
        Constraints(START, END, min_length=least, max_length=most)


def test_a_penalty_lets_the_longer_caption_win():
    table = np.array([[0.0] * 4, [0, 0, 0.4, 0.6], [0.0] * 4, [0, 0, 0.6, 0.4]])

    def step(words, state):  # END at once: 0.4; one word and END: 0.36
        return np.log(table[words] + 1e-12), state

    constraints = Constraints(START, END, max_length=6)
    short, _ = beam_search(step, (), 1, constraints, beam_size=3)
    long, _ = beam_search(step, (), 1, constraints, beam_size=3, length_penalty=2.0)
    assert short[0, 0, :2].tolist() == [END, 0]
    assert long[0, 0, :2].tolist() == [3, END]


def test_n_best_without_n_captions():
    def step(words, state):
        return np.tile([-np.inf, -np.inf, 0.0], (len(words), 1)), state

    words, log_probs = beam_search(step, (), 1, Constraints(START, END), beam_size=3, n_best=3)
    assert log_probs[0].tolist() == [0, -np.inf, -np.inf]
    assert words[0, :, 0].tolist() == [END, 0, 0]


@pytest.mark.parametrize(
    "options", [{"n_best": 6}, {"beam_size": 0}, {"n_best": 0}, {"length_penalty": -0.1}]
)
def test_searches_that_make_no_sense(options):
    with pytest.raises(ValueError, match="expected an end, 1 <= n_best <= beam_size"):
        beam_search(uniform, (), 1, Constraints(START, END), **options)


# sampling


def drawn(rng, **options):
    """Shares of 20,000 words drawn from a fixed distribution."""

    def step(words, state):
        return np.log([[0.1, 0.2, 0.3, 0.4]]).repeat(len(words), axis=0), state

    words, _ = sample(step, (), 20_000, Constraints(0, None, max_length=1), rng, **options)
    return np.bincount(words[:, 0], minlength=4) / 20_000


@pytest.mark.parametrize(
    ("options", "shares"),
    [
        ({}, [0.1, 0.2, 0.3, 0.4]),
        ({"temperature": 0.5}, np.array([1, 4, 9, 16]) / 30),
        ({"top_k": 2}, [0, 0, 3 / 7, 4 / 7]),
        ({"top_k": 99}, [0.1, 0.2, 0.3, 0.4]),
        ({"top_p": 0.65}, [0, 0, 3 / 7, 4 / 7]),
        ({"top_p": 0.75}, [0, 2 / 9, 3 / 9, 4 / 9]),
        ({"top_p": 1e-9}, [0, 0, 0, 1]),
    ],
)
def test_sample_follows_the_probabilities(rng, options, shares):
    np.testing.assert_allclose(drawn(rng, **options), shares, atol=0.015)


def test_the_same_seed_says_the_same():
    constraints = Constraints(START, END, forbidden=[0, 1])
    one, again, other = (
        sample(uniform, (), 5, constraints, np.random.default_rng(seed))[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 2.0}]
)
def test_sample_refuses_invalid_arguments(rng, options):
    with pytest.raises(ValueError, match="expected temperature > 0, top_k >= 1, 0 < top_p <= 1"):
        sample(uniform, (), 1, Constraints(START, END), rng, **options)
