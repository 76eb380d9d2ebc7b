import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limner.engine.numpy.token_sums import sum_by_token


@given(st.integers(0, 2**32), st.sampled_from([1, 4]), st.integers(1, 30), st.integers(0, 40))
def test_as_numpy_adds_at(seed, m, U, repeats):
    rng = np.random.default_rng(seed)
    lookup = np.concatenate([np.arange(U), np.minimum(rng.geometric(0.3, repeats) - 1, U - 1)])
    rng.shuffle(lookup)
    rows = rng.standard_normal((m, len(lookup), 3))
    expected = np.zeros((U, m, 3))
    np.add.at(expected, lookup, rows.transpose(1, 0, 2))
    out = np.full((m, U, 3), np.nan)
    sum_by_token(rows, lookup, out)
    np.testing.assert_allclose(out, expected.transpose(1, 0, 2), rtol=1e-12, atol=1e-12)
