import numpy as np
import pytest

from limner.decoding import Decoding, Limits, beam_search, decode, greedy

LIMITS = Limits(start=0, end=3, max_length=40, forbidden=[0])


def step(words, state):
    """Scores that depend on the word before and on the picture."""
    (pictures,) = state
    table = np.random.default_rng(5).standard_normal((6, 4, 4))
    return table[pictures, words], state


def run(how, N=6):
    return decode(step, (np.arange(N),), N, LIMITS, how)


def test_each_way_is_the_decoder_of_that_name():
    state = (np.arange(6),)
    words, log_probs = greedy(step, state, 6, LIMITS)
    np.testing.assert_array_equal(run(Decoding())[0][:, 0], words)
    np.testing.assert_array_equal(run(Decoding())[1][:, 0], log_probs)
    expected = beam_search(step, state, 6, LIMITS, beam_size=3, n_best=2, length_penalty=1.0)
    found = run(Decoding(beam_size=3, n_best=2, length_penalty=1.0))
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_more_captions_than_beams_widen_the_beam():
    words, log_probs = run(Decoding(n_best=4))
    assert words.shape == (6, 4, 40)
    assert (np.diff(log_probs, axis=1) <= 0).all()


def test_drawn_captions_come_in_order_and_again():
    how = Decoding(temperature=1.0, n_best=5, seed=3)
    words, log_probs = run(how)
    assert words.shape == (6, 5, 40)
    assert (np.diff(log_probs, axis=1) <= 0).all()
    np.testing.assert_array_equal(run(how)[0], words)
    likeliest, _ = run(Decoding(temperature=1.0, top_k=1))
    np.testing.assert_array_equal(likeliest, run(Decoding())[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_best": 0}, "n_best 0: expected 1 or more"),
        ({"min_length": 30}, "min_length 30: expected 0 to 29 words"),
        ({"temperature": 0.0}, "temperature 0.0: expected more than 0"),
        ({"top_k": 3}, "give a temperature too"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        Decoding(**settings)
