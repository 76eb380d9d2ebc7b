from itertools import pairwise, product

import numpy as np
import pytest

from by_step import beam_search, greedy
from limner.decoding import Constraints
from limner.decoding.constraints import log_softmax

START, END, NULL = 1, 2, 0


def scripted(rows):
    """A start state, and a step that says the next word of each row's script, for sure."""

    def step(words, state):
        row, place = state
        scores = np.zeros((len(words), 8))
        for n, (r, t) in enumerate(zip(row, place, strict=True)):
            scores[n, rows[r][min(t, len(rows[r]) - 1)]] = 50.0
        return scores, (row, place + 1)

    return step, (np.arange(len(rows)), np.zeros(len(rows), dtype=int))


def test_each_caption_ends_on_its_own():
    rows = [[4, 5, END], [END], [6, 7, 4, 5]]
    words, _ = greedy(*scripted(rows), 3, Constraints(START, END, max_length=4))
    assert words.dtype == np.int32
    assert words.tolist() == [[4, 5, END, 0], [END, 0, 0, 0], [6, 7, 4, 5]]


def test_finished_captions_are_removed_from_the_batch():
    calls = []
    inner, state = scripted([[4, 5, END], [END]])

    def step(words, state):
        calls.append(words.tolist())
        return inner(words, state)

    greedy(step, state, 2, Constraints(START, END))
    assert calls == [[START, START], [4], [5]]


def test_greedy_without_end_token_fills_max_length():
    words, _ = greedy(*scripted([[END, 4]]), 1, Constraints(START, None, max_length=3))
    assert words.tolist() == [[END, 4, 4]]


def test_words_and_states_are_handed_on():
    def step(words, state):
        total = state[0] + words
        return np.eye(8)[total % 8] * 50, (total,)

    words, _ = greedy(step, (np.array([0, 3]),), 2, Constraints(1, None, max_length=3))
    # totals: 1, 1+1, 2+2 ; and 3+1, 4+4, 8+0
    assert words.tolist() == [[1, 2, 4], [4, 0, 0]]


def test_log_probability_is_the_sum_over_the_words(rng):
    table = rng.standard_normal((8, 8))

    def step(words, state):
        return table[words], state

    words, total = greedy(step, (), 1, Constraints(START, END, max_length=6))
    said = [int(w) for w in words[0] if w != NULL or w == END]
    path = [START, *said]
    expected = sum(log_softmax(table)[a, b] for a, b in pairwise(path))
    assert total[0] == pytest.approx(expected)


def test_forbidden_words_are_not_generated():
    def step(words, state):
        return np.tile([9.0, 0, 0, 8, 7, 6, 0, 0], (len(words), 1)), state

    words, total = greedy(step, (), 1, Constraints(START, END, max_length=2, forbidden=[0, 3]))
    assert words.tolist() == [[4, 4]]
    left = np.exp([0, 0, 7, 6, 0, 0])
    assert total[0] == pytest.approx(2 * (7 - np.log(left.sum())))


def test_log_softmax_of_huge_scores():
    out = log_softmax(np.array([[1e4, -1e4, -np.inf]]))
    assert out.tolist() == [[0.0, -2e4, -np.inf]]


def random_model(rng, V=6):
    """A step whose scores depend on the last two words, and a start state for N captions."""
    tables = rng.standard_normal((3, V, V, V)) * 2

    def step(words, state):
        kind, before = state
        return tables[kind % 3, before, words].copy(), (kind, words)

    return step, lambda n: (np.arange(n), np.full(n, START))


def every_caption(step, state, V, length):
    """{caption: log-probability} of everything that can be said, one caption's state."""
    found = {}
    for words in product(range(V), repeat=length):
        total, at, before = 0.0, state, START
        said = []
        for word in words:
            scores, at = step(np.array([before]), at)
            total += log_softmax(scores)[0, word]
            said.append(word)
            before = word
            if word == END:
                break
        found[tuple(said)] = total
    return found


@pytest.mark.parametrize("seed", range(10))
def test_beam_search_with_room_for_all_is_exhaustive(seed):
    V, L, N = 4, 4, 3
    step, states = random_model(np.random.default_rng(seed), V)
    constraints = Constraints(START, END, null=-1, max_length=L)
    words, total = beam_search(step, states(N), N, constraints, beam_size=V**L, n_best=5)
    for n in range(N):
        state = tuple(array[n : n + 1] for array in states(N))
        found = every_caption(step, state, V, L)
        ended = {said: score for said, score in found.items() if said[-1] == END}
        best = sorted(ended, key=ended.get, reverse=True)[:5]
        assert [tuple(w for w in row if w != -1) for row in words[n].tolist()] == best
        assert total[n] == pytest.approx([ended[said] for said in best])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("length_penalty", [0.5, 1.0, 3.0])
def test_stopping_early_loses_nothing(seed, length_penalty):
    """The best by penalised probability, found by looking at everything."""
    V, L, N = 4, 4, 3
    step, states = random_model(np.random.default_rng(seed), V)
    constraints = Constraints(START, END, null=-1, max_length=L)
    options = {"beam_size": V**L, "length_penalty": length_penalty}
    words, _ = beam_search(step, states(N), N, constraints, **options)
    for n in range(N):
        state = tuple(array[n : n + 1] for array in states(N))
        found = every_caption(step, state, V, L)
        ranks = {
            said: score / ((5 + len(said)) / 6) ** length_penalty
            for said, score in found.items()
            if said[-1] == END
        }
        assert tuple(w for w in words[n, 0].tolist() if w != -1) == max(ranks, key=ranks.get)


@pytest.mark.parametrize("seed", range(10))
def test_beam_one_is_greedy(seed):
    step, states = random_model(np.random.default_rng(seed))
    constraints = Constraints(
        START, END, max_length=9, min_length=3, forbidden=[NULL], no_repeat_ngram=2
    )
    words, total = greedy(step, states(20), 20, constraints)
    beam_words, beam_total = beam_search(step, states(20), 20, constraints, beam_size=1)
    np.testing.assert_array_equal(beam_words[:, 0], words)
    np.testing.assert_allclose(beam_total[:, 0], total)


def test_a_wider_beam_finds_what_greedy_misses_and_images_do_not_mix(rng):
    step, states = random_model(rng)
    constraints = Constraints(START, END, max_length=9, forbidden=[NULL])
    _, narrow = greedy(step, states(30), 30, constraints)
    words, wide = beam_search(step, states(30), 30, constraints, beam_size=4, n_best=2)
    assert (wide[:, 0] > narrow + 1e-9).any()
    assert (wide[:, 0] >= wide[:, 1]).all()
    for n in range(30):
        state = tuple(array[n : n + 1] for array in states(30))
        alone, total = beam_search(step, state, 1, constraints, beam_size=4, n_best=2)
        assert alone[0].tolist() == words[n].tolist()
        assert total[0] == pytest.approx(wide[n])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("forced", [[3], [3, 0]])
def test_forced_words_with_room_for_all_are_exhaustive(seed, forced):
    V, L, N = 4, 4, 3
    step, states = random_model(np.random.default_rng(seed), V)
    constraints = Constraints(START, END, null=-1, max_length=L)
    options = {"beam_size": V**L, "n_best": 3, "forced": forced}
    words, total = beam_search(step, states(N), N, constraints, **options)
    for n in range(N):
        state = tuple(array[n : n + 1] for array in states(N))
        found = every_caption(step, state, V, L)
        whole = {
            said: score
            for said, score in found.items()
            if said[-1] == END and set(forced) <= set(said)
        }
        best = sorted(whole, key=whole.get, reverse=True)[:3]
        assert [tuple(w for w in row if w != -1) for row in words[n].tolist()] == best
        assert total[n] == pytest.approx([whole[said] for said in best])


@pytest.mark.parametrize("seed", range(10))
def test_forced_words_with_one_beam(seed):
    step, states = random_model(np.random.default_rng(seed), 8)
    constraints = Constraints(START, END, max_length=5, forbidden=[NULL, START])
    words, _ = beam_search(step, states(20), 20, constraints, beam_size=1, forced=[7, 5, 3, 4])
    assert all({7, 5, 3, 4} <= set(row) for row in words[:, 0].tolist())
    with pytest.raises(ValueError, match="5 forced words and an end: more than max_length 5"):
        beam_search(step, states(20), 20, constraints, beam_size=1, forced=[3, 4, 5, 6, 7])


@pytest.mark.parametrize("seed", range(5))
def test_groups(seed):
    """The first is a beam search of its own; the others say other words; nothing comes twice."""
    step, states = random_model(np.random.default_rng(seed), 8)
    constraints = Constraints(START, END, max_length=6, forbidden=[NULL, START])
    alone, total = beam_search(step, states(20), 20, constraints, beam_size=2)
    options = {"beam_size": 6, "n_best": 3, "groups": 3}
    words, _ = beam_search(step, states(20), 20, constraints, **options, diversity=100.0)
    for n in range(20):
        assert alone[n, 0].tolist() in words[n].tolist()
        assert len({tuple(row) for row in words[n].tolist()}) == 3
    same, its = beam_search(step, states(20), 20, constraints, **options, diversity=0.0)
    np.testing.assert_array_equal(same[:, 0], alone[:, 0])
    np.testing.assert_allclose(its[:, 0], total[:, 0])
    with pytest.raises(ValueError, match="beam_size 6, groups 4"):
        beam_search(step, states(20), 20, constraints, beam_size=6, groups=4)


def test_a_state_within_a_state_follows_its_captions(rng):
    inner, states = random_model(rng)

    def step(words, state):
        scores, after = inner(words, state[1])
        return scores, (state[0], after)

    constraints = Constraints(START, END, max_length=9, forbidden=[NULL])
    nested = (np.zeros(30), states(30))
    found = beam_search(step, nested, 30, constraints, beam_size=4)
    expected = beam_search(inner, states(30), 30, constraints, beam_size=4)
    np.testing.assert_array_equal(found[0], expected[0])


def test_unfinished_caption_is_the_most_likely_prefix():
    def step(words, state):
        return np.tile([-np.inf, -np.inf, -np.inf, 1.0, 2.0], (len(words), 1)), state

    words, total = beam_search(step, (), 2, Constraints(START, END, max_length=3), beam_size=3)
    assert words[:, 0].tolist() == [[4, 4, 4]] * 2
    assert total[0, 0] == pytest.approx(3 * (2 - np.log(np.exp(1) + np.exp(2))))


def test_decided_images_are_removed_from_the_batch():
    sizes = []
    inner, state = scripted([[END], [4, 5, END]])

    def step(words, state):
        sizes.append(len(words))
        return inner(words, state)

    words, _ = beam_search(step, state, 2, Constraints(START, END), beam_size=2)
    assert words[:, 0, :3].tolist() == [[END, 0, 0], [4, 5, END]]
    assert sizes == [2, 2, 2]  # two rows, then two beams of the one that goes on
