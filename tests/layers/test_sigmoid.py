import numpy as np
import pytest

from limner.layers import sigmoid


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_formula(dtype):
    x = np.linspace(-8, 8, 33, dtype=dtype)
    out = sigmoid(x)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, 1 / (1 + np.exp(-x)), atol=4 * np.finfo(dtype).eps)


def test_no_overflow_at_either_end():
    with np.errstate(all="raise"):
        assert sigmoid(np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]


def test_the_argument_stays():
    x = np.array([1.0, 2.0])
    sigmoid(x)
    assert x.tolist() == [1.0, 2.0]
