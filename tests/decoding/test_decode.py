import numpy as np
import pytest

from by_step import StepDecoder, beam_search, greedy
from limner.decoding import GREEDY, Constraints, decode

WORDS = {"<START>": 0, "one": 1, "two": 2, "<END>": 3, "<NULL>": 4}
CONSTRAINTS = Constraints(start=0, end=3, null=4, max_length=30, forbidden=[4, 0])
STATE = (np.arange(6),)


def step(tokens, state):
    """Scores that depend on the token before and on the image."""
    (images,) = state
    table = np.random.default_rng(5).standard_normal((6, 5, 5))
    return table[images, tokens], state


def run(how):
    return decode(StepDecoder(step, STATE), np.zeros((6, 0)), how, WORDS, how.new_rng())


def test_each_way_is_the_decoder_of_that_name():
    tokens, log_probs = greedy(step, STATE, 6, CONSTRAINTS)
    np.testing.assert_array_equal(run(GREEDY)[0][:, 0], tokens)
    np.testing.assert_array_equal(run(GREEDY)[1][:, 0], log_probs)
    options = {"beam_size": 3, "n_best": 2, "length_penalty": 1.0}
    expected = beam_search(step, STATE, 6, CONSTRAINTS, **options)
    for mine, its in zip(run(GREEDY.changed(**options)), expected, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_forced_words_and_groups_reach_the_search():
    forced = run(GREEDY.changed(forced=("one",)))
    expected = beam_search(step, STATE, 6, CONSTRAINTS, beam_size=1, forced=[1])
    np.testing.assert_array_equal(forced[0], expected[0])
    options = {"n_best": 4, "groups": 2, "diversity": 2.0}
    expected = beam_search(step, STATE, 6, CONSTRAINTS, beam_size=4, **options)
    np.testing.assert_array_equal(run(GREEDY.changed(**options))[0], expected[0])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("three", "not in the vocabulary"),
        ("<START>", "captions cannot contain"),
        ("<END>", "captions cannot contain"),
    ],
)
def test_words_that_cannot_be_forced(word, message):
    with pytest.raises(ValueError, match=message):
        run(GREEDY.changed(forced=(word,)))


@pytest.mark.parametrize(
    ("word", "message"),
    [("three", "not in the vocabulary"), ("<START>", "cannot be"), ("<END>", "cannot be")],
)
def test_words_that_cannot_be_forbidden(word, message):
    with pytest.raises(ValueError, match=message):
        run(GREEDY.changed(forbidden=(word,)))


def test_sample_depends_on_the_seed():
    how = GREEDY.changed(temperature=1.0, n_best=5)
    drawn = [run(how.changed(seed=seed))[0] for seed in (1, 2, 1)]
    assert (drawn[0] != drawn[1]).any()
    np.testing.assert_array_equal(drawn[0], drawn[2])


def test_more_captions_than_beams_widen_the_beam():
    tokens, log_probs = run(GREEDY.changed(n_best=4))
    assert tokens.shape == (6, 4, 30)
    assert (np.diff(log_probs, axis=1) <= 0).all()


def test_sampled_captions_are_sorted_and_reproducible():
    how = GREEDY.changed(temperature=1.0, n_best=5, seed=3)
    tokens, log_probs = run(how)
    assert tokens.shape == (6, 5, 30)
    assert (np.diff(log_probs, axis=1) <= 0).all()
    np.testing.assert_array_equal(run(how)[0], tokens)
    likeliest, _ = run(GREEDY.changed(temperature=1.0, top_k=1))
    np.testing.assert_array_equal(likeliest, run(GREEDY)[0])
