import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limner.engine.numpy.packing import pack
from limner.models import Batch


def packed_of(captions, null, vocabulary_size, inputs=None):
    batch = Batch(np.zeros((len(captions), 0)), captions, inputs=inputs)
    return pack(batch, null, vocabulary_size)


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(2, 8), st.floats(0, 1))
def test_every_word_that_counts_is_there_once(seed, N, T, nulls):
    rng = np.random.default_rng(seed)
    captions = rng.integers(1, 7, size=(N, T))
    captions[rng.random((N, T)) < nulls] = 0
    packed = packed_of(captions, null=0, vocabulary_size=7)

    seen = []
    for t, rows in enumerate(packed.steps):
        for place, row in enumerate(range(rows.start, rows.stop)):
            caption = packed.order[place]
            assert packed.tokens[packed.lookup[row]] == captions[caption, t]
            assert packed.targets[row] == captions[caption, t + 1]
            seen.append((caption, t + 1))
    counted = {tuple(place) for place in np.argwhere(captions != 0) if place[1] > 0}
    assert len(seen) == len(set(seen)) == len(packed.targets)
    assert counted <= set(seen)
    after = {(n, t) for n in range(N) for t in range(1, T) if not captions[n, t:].any()}
    assert not after & set(seen)


def test_nothing_to_learn():
    packed = packed_of(np.array([[1, 0], [0, 0]]), null=0, vocabulary_size=2)
    assert (len(packed.order), packed.steps, len(packed.targets)) == (0, [], 0)


def test_other_words_go_in(rng):
    captions = rng.integers(5, size=(6, 7))
    inputs = rng.integers(5, size=(6, 6))
    plain, other = packed_of(captions, 0, 5), packed_of(captions, 0, 5, inputs)
    np.testing.assert_array_equal(other.targets, plain.targets)
    np.testing.assert_array_equal(other.order, plain.order)
    same = np.concatenate([inputs, captions[:, -1:]], axis=1)
    for n, rows in enumerate(other.steps):
        expected = same[other.caption[rows], n]
        np.testing.assert_array_equal(other.tokens[other.lookup[rows]], expected)
