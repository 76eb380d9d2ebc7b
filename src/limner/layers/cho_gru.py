"""The gated recurrent unit of the paper: the reset gate is applied before the recurrent product.

    r, z = sigmoid(x_t Wx_rz + h_{t-1} Wh_rz + b_rz)       reset and update gate
    n = tanh(x_t Wx_n + b_n + (r * h_{t-1}) Wh_n)          candidate
    h_t = (1 - z) * n + z * h_{t-1}

`limner.layers.gru` has cuDNN's form, with the reset after the product.

Shapes: N sequences, T time steps, D input, H hidden. Wx, Wh and b hold three blocks of H columns:
r, z, n.
Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
machine translation", EMNLP 2014, section 2.3.
"""

from functools import partial

import numpy as np

from limner.layers.sigmoid import sigmoid
from limner.layers.unroll import unroll_backward, unroll_forward
from limner.typing import Array, Float

ChoGRUStepCache = tuple[Array, Array, Array, Array, Array, Array, Array]


def cho_gru_step_forward(
    x: Float[Array, "N D"],
    prev_h: Float[Array, "N H"],
    Wx: Float[Array, "D 3*H"],
    Wh: Float[Array, "H 3*H"],
    b: Float[Array, " 3*H"],
) -> tuple[Float[Array, "N H"], ChoGRUStepCache]:
    """One time step, as the formulas at the top of this file.

    Args:
        x: (N, D) input at this step.
        prev_h: (N, H) previous hidden state.
        Wx: (D, 3H) input-to-hidden weights, in the order r, z, n.
        Wh: (H, 3H) hidden-to-hidden weights, likewise.
        b: (3H,) biases, likewise.

    Returns:
        next_h (N, H), and the cache for `cho_gru_step_backward`.

    >>> import numpy as np
    >>> x, h, Wx, Wh = np.zeros((1, 1)), np.ones((1, 1)), np.zeros((1, 3)), np.zeros((1, 3))
    >>> cho_gru_step_forward(x, h, Wx, Wh, np.zeros(3))[0]
    array([[0.5]])
    """
    H = prev_h.shape[1]
    from_x = x @ Wx + b
    rz = sigmoid(from_x[:, : 2 * H] + prev_h @ Wh[:, : 2 * H])
    r, z = rz[:, :H], rz[:, H:]
    n = np.tanh(from_x[:, 2 * H :] + (r * prev_h) @ Wh[:, 2 * H :])
    next_h = (1 - z) * n + z * prev_h
    return next_h, (x, prev_h, Wx, Wh, r, z, n)


def cho_gru_step_backward(
    dnext_h: Float[Array, "N H"], cache: ChoGRUStepCache
) -> tuple[
    Float[Array, "N D"],
    Float[Array, "N H"],
    Float[Array, "D 3*H"],
    Float[Array, "H 3*H"],
    Float[Array, " 3*H"],
]:
    """Gradients of one step.

    Args:
        dnext_h: (N, H) gradient of the hidden state.
        cache: of `cho_gru_step_forward`.

    Returns:
        dx (N, D), dprev_h (N, H), dWx (D, 3H), dWh (H, 3H), db (3H,).
    """
    x, prev_h, Wx, Wh, r, z, n = cache
    H = prev_h.shape[1]
    # next_h = (1 - z) * n + z * prev_h
    dn = dnext_h * (1 - z)
    dz = dnext_h * (prev_h - n)
    # n = tanh(a_n + reset Wh_n),  reset = r * prev_h
    da_n = dn * (1 - n**2)
    dreset = da_n @ Wh[:, 2 * H :].T
    dr = dreset * prev_h
    # r, z = sigmoid(a_r, a_z),  and sigmoid' = sigmoid * (1 - sigmoid)
    da_r = dr * r * (1 - r)
    da_z = dz * z * (1 - z)
    da = np.concatenate([da_r, da_z, da_n], axis=1)
    # from_x = x Wx + b;  a_r, a_z = from_x + prev_h Wh_rz
    dx = da @ Wx.T
    dprev_h = dnext_h * z + dreset * r + da[:, : 2 * H] @ Wh[:, : 2 * H].T
    dWx = x.T @ da
    dWh = np.concatenate([prev_h.T @ da[:, : 2 * H], (r * prev_h).T @ da_n], axis=1)
    db = da.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


cho_gru_forward = partial(unroll_forward, cho_gru_step_forward)
"""The cell over a whole sequence, see `unroll_forward`."""

cho_gru_backward = partial(unroll_backward, cho_gru_step_backward)
"""Backpropagation through time, see `unroll_backward`."""
