import numpy as np

from limner.decoding import GREEDY, Limits, beam_search, decode, greedy

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
    np.testing.assert_array_equal(run(GREEDY)[0][:, 0], words)
    np.testing.assert_array_equal(run(GREEDY)[1][:, 0], log_probs)
    expected = beam_search(step, state, 6, LIMITS, beam_size=3, n_best=2, length_penalty=1.0)
    found = run(GREEDY.changed(beam_size=3, n_best=2, length_penalty=1.0))
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_forced_words_and_groups_reach_the_search():
    state = (np.arange(6),)
    forced = decode(step, state, 6, LIMITS, GREEDY.changed(forced=("one",)), [1])
    expected = beam_search(step, state, 6, LIMITS, beam_size=1, forced=[1])
    np.testing.assert_array_equal(forced[0], expected[0])
    found = run(GREEDY.changed(n_best=4, groups=2, diversity=2.0))
    expected = beam_search(step, state, 6, LIMITS, beam_size=4, n_best=4, groups=2, diversity=2.0)
    np.testing.assert_array_equal(found[0], expected[0])


def test_more_captions_than_beams_widen_the_beam():
    words, log_probs = run(GREEDY.changed(n_best=4))
    assert words.shape == (6, 4, 40)
    assert (np.diff(log_probs, axis=1) <= 0).all()


def test_drawn_captions_come_in_order_and_again():
    how = GREEDY.changed(temperature=1.0, n_best=5, seed=3)
    words, log_probs = run(how)
    assert words.shape == (6, 5, 40)
    assert (np.diff(log_probs, axis=1) <= 0).all()
    np.testing.assert_array_equal(run(how)[0], words)
    likeliest, _ = run(GREEDY.changed(temperature=1.0, top_k=1))
    np.testing.assert_array_equal(likeliest, run(GREEDY)[0])
