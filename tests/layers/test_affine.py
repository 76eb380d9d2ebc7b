import numpy as np
import pytest

from layers.checks import check_gradients
from limner.layers import (
    affine_backward,
    affine_forward,
    temporal_affine_backward,
    temporal_affine_forward,
)


@pytest.mark.parametrize("shape", [(3, 6), (3, 2, 3), (1, 6), (1, 1, 6)])
def test_affine_gradients(shape, rng):
    x, w, b = rng.standard_normal(shape), rng.standard_normal((6, 4)), rng.standard_normal(4)
    out, cache = affine_forward(x, w, b)
    check_gradients(
        lambda *a: affine_forward(*a)[0],
        lambda dout: affine_backward(dout, cache),
        [x, w, b],
        rng.standard_normal(out.shape),
    )


def test_affine_flattens_each_row():
    out, _ = affine_forward(np.arange(8.0).reshape(2, 2, 2), np.eye(4), np.full(4, 10.0))
    np.testing.assert_array_equal(out, [[10, 11, 12, 13], [14, 15, 16, 17]])


@pytest.mark.parametrize(("N", "T"), [(2, 3), (1, 1), (4, 1), (1, 5)])
def test_temporal_affine_gradients(N, T, rng):
    x, w, b = rng.standard_normal((N, T, 4)), rng.standard_normal((4, 5)), rng.standard_normal(5)
    out, cache = temporal_affine_forward(x, w, b)
    check_gradients(
        lambda *a: temporal_affine_forward(*a)[0],
        lambda dout: temporal_affine_backward(dout, cache),
        [x, w, b],
        rng.standard_normal(out.shape),
    )


def test_temporal_affine_is_affine_at_every_step(rng):
    x, w, b = rng.standard_normal((2, 3, 4)), rng.standard_normal((4, 5)), rng.standard_normal(5)
    out, _ = temporal_affine_forward(x, w, b)
    for t in range(3):
        np.testing.assert_allclose(out[:, t], affine_forward(x[:, t], w, b)[0], rtol=1e-14)
