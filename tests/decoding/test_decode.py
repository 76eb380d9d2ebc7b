import numpy as np
import pytest

from by_step import StepDecoder, beam_search, greedy
from limner.decoding import Constraints, Decoding, decode

WORDS = {"<START>": 0, "one": 1, "two": 2, "<END>": 3, "<NULL>": 4}
CONSTRAINTS = Constraints(start=0, end=3, null=4, max_length=30, forbidden=[4, 0])


def step(words, state):
    """Scores that depend on the word before and on the picture."""
    (pictures,) = state
    table = np.random.default_rng(5).standard_normal((6, 5, 5))
    return table[pictures, words], state


def run(how, N=6):
    decoder = StepDecoder(step, (np.arange(N),))
    return decode(decoder, np.zeros((N, 0)), how, WORDS, how.new_rng())


def test_each_way_is_the_decoder_of_that_name():
    state = (np.arange(6),)
    words, log_probs = greedy(step, state, 6, CONSTRAINTS)
    np.testing.assert_array_equal(run(Decoding())[0][:, 0], words)
    np.testing.assert_array_equal(run(Decoding())[1][:, 0], log_probs)
    expected = beam_search(step, state, 6, CONSTRAINTS, beam_size=3, n_best=2, length_penalty=1.0)
    found = run(Decoding(beam_size=3, n_best=2, length_penalty=1.0))
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_forced_words_and_groups_reach_the_search():
    state = (np.arange(6),)
    forced = run(Decoding(forced=("one",)))
    expected = beam_search(step, state, 6, CONSTRAINTS, beam_size=1, forced=[1])
    np.testing.assert_array_equal(forced[0], expected[0])
    found = run(Decoding(n_best=4, groups=2, diversity=2.0))
    expected = beam_search(
        step, state, 6, CONSTRAINTS, beam_size=4, n_best=4, groups=2, diversity=2.0
    )
    np.testing.assert_array_equal(found[0], expected[0])


@pytest.mark.parametrize(
    ("how", "text"),
    [
        (Decoding(length_penalty=1.0), "greedy"),
        (Decoding(n_best=3), "beam search, 3 beams, n_best 3"),
        (Decoding(forced=("a",)), "beam search, 1 beams, forced ('a',)"),
        (Decoding(temperature=0.5, seed=2), "drawn, temperature 0.5, seed 2"),
    ],
)
def test_the_way_in_words(how, text):
    assert str(how) == text


def test_more_captions_than_beams_widen_the_beam():
    words, log_probs = run(Decoding(n_best=4))
    assert words.shape == (6, 4, 30)
    assert (np.diff(log_probs, axis=1) <= 0).all()


def test_drawn_captions_come_in_order_and_again():
    how = Decoding(temperature=1.0, n_best=5, seed=3)
    words, log_probs = run(how)
    assert words.shape == (6, 5, 30)
    assert (np.diff(log_probs, axis=1) <= 0).all()
    np.testing.assert_array_equal(run(how)[0], words)
    likeliest, _ = run(Decoding(temperature=1.0, top_k=1))
    np.testing.assert_array_equal(likeliest, run(Decoding())[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_best": 0}, "n_best 0: expected 1 to 10,000"),
        ({"min_length": 30}, "min_length 30: expected 0 to 29 words"),
        ({"temperature": 0.0}, "temperature 0.0: expected 0.01 to 100"),
        ({"top_k": 3}, "give a temperature too"),
        ({"temperature": 1.0, "groups": 2}, "leave the temperature out"),
        ({"length_penalty": -1.0}, "length_penalty -1.0, diversity 0.5: expected 0 to 100"),
        (
            {"groups": 2, "beam_size": 3},
            "groups 2, beam_size 3: expected a multiple of groups, e.g. 4",
        ),
        ({"forced": ("a",), "forbidden": ("a",)}, "'a': forced and forbidden"),
        ({"forced": ("a", "b"), "max_length": 2}, "max_length 2: no room for the forced words"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        Decoding(**settings)
