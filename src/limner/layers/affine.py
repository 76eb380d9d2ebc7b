"""The affine layer, on vectors and on sequences of vectors.

Shapes: N rows, T time steps, D inputs, M outputs.
"""

from limner.typing import Array, Float

AffineCache = tuple[Array, Array]


def affine_forward(
    x: Float[Array, "N ..."], w: Float[Array, "D M"], b: Float[Array, " M"]
) -> tuple[Float[Array, "N M"], AffineCache]:
    """`out = x w + b`, each row of `x` flattened to D numbers first.

    Args:
        x: (N, d_1, ..., d_k) with d_1 * ... * d_k = D.
        w: (D, M) weights.
        b: (M,) biases.

    Returns:
        out (N, M), and the cache for `affine_backward`.

    >>> import numpy as np
    >>> affine_forward(np.ones((1, 2)), np.eye(2), np.array([0.0, 1.0]))[0]
    array([[1., 2.]])
    """
    out = x.reshape(len(x), len(w)) @ w + b
    return out, (x, w)


def affine_backward(
    dout: Float[Array, "N M"], cache: AffineCache
) -> tuple[Float[Array, "N ..."], Float[Array, "D M"], Float[Array, " M"]]:
    """Gradients of `affine_forward`.

    Args:
        dout: the upstream gradient.
        cache: of `affine_forward`.

    Returns:
        dx (shape of x), dw (D, M), db (M,).
    """
    x, w = cache
    # out = rows w + b
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(len(x), len(w)).T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


def temporal_affine_forward(
    x: Float[Array, "N T D"], w: Float[Array, "D M"], b: Float[Array, " M"]
) -> tuple[Float[Array, "N T M"], AffineCache]:
    """The same affine map at every time step, as one product of all N*T rows.

    Args:
        x: (N, T, D) vectors, in a captioning model the hidden states.
        w: (D, M) weights.
        b: (M,) biases.

    Returns:
        out (N, T, M), and the cache for `temporal_affine_backward`.

    >>> import numpy as np
    >>> temporal_affine_forward(np.ones((1, 2, 1)), np.ones((1, 1)), np.ones(1))[0]
    array([[[2.],
            [2.]]])
    """
    N, T, D = x.shape
    out, _ = affine_forward(x.reshape(N * T, D), w, b)
    return out.reshape(N, T, -1), (x, w)


def temporal_affine_backward(
    dout: Float[Array, "N T M"], cache: AffineCache
) -> tuple[Float[Array, "N T D"], Float[Array, "D M"], Float[Array, " M"]]:
    """Gradients of `temporal_affine_forward`.

    Args:
        dout: the upstream gradient.
        cache: of `temporal_affine_forward`.

    Returns:
        dx (N, T, D), dw (D, M), db (M,).
    """
    x, w = cache
    N, T, D = x.shape
    dx, dw, db = affine_backward(dout.reshape(N * T, -1), (x.reshape(N * T, D), w))
    return dx.reshape(N, T, D), dw, db
