import numpy as np
import pytest

from limner.gradcheck import eval_numerical_gradient_array, rel_error
from limner.layers import word_embedding_backward, word_embedding_forward


def test_the_courses_numbers():
    N, T, V, D = 2, 4, 5, 3
    x = np.asarray([[0, 3, 1, 2], [2, 1, 0, 3]])
    W = np.linspace(0, 1, num=V * D).reshape(V, D)
    out, _ = word_embedding_forward(x, W)
    expected = W[x.reshape(-1)].reshape(N, T, D)
    np.testing.assert_array_equal(out, expected)
    assert out[0, 1].round(8).tolist() == [0.64285714, 0.71428571, 0.78571429]


@pytest.mark.parametrize(("N", "T"), [(50, 3), (1, 1), (1, 7)])
def test_gradient(N, T, rng):
    x = rng.integers(5, size=(N, T))
    W = rng.standard_normal((5, 6))
    out, cache = word_embedding_forward(x, W)
    dout = rng.standard_normal(out.shape)
    numerical = eval_numerical_gradient_array(lambda W: word_embedding_forward(x, W)[0], W, dout)
    dW = word_embedding_backward(dout, cache)
    assert np.any(dW != 0)
    assert rel_error(numerical, dW) < 1e-8


def test_repeated_words_sum_their_gradients():
    _, cache = word_embedding_forward(np.array([[1, 1], [1, 0]]), np.zeros((3, 2)))
    dW = word_embedding_backward(np.ones((2, 2, 2)), cache)
    assert dW.tolist() == [[1, 1], [3, 3], [0, 0]]
