"""Gated recurrent unit and backpropagation through time.

    r, z = sigmoid(x_t Wx_rz + h_{t-1} Wh_rz + b_rz)       reset and update gate
    n = tanh(x_t Wx_n + b_n + r * (h_{t-1} Wh_n))          candidate
    h_t = (1 - z) * n + z * h_{t-1}

The reset gate is applied after the product with Wh_n, as in cuDNN and PyTorch, so that one product
gives all three blocks. (In the paper it is applied before: `(r * h) Wh_n`; see cho_gru.py.)

Shapes: N sequences, T time steps, D input, H hidden. Wx, Wh and b hold three blocks of H columns:
r, z, n.
Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
machine translation", EMNLP 2014.
"""

from functools import partial

import numpy as np

from limner.layers.sigmoid import sigmoid
from limner.layers.unroll import unroll_backward, unroll_forward
from limner.typing import Array, Float

GRUStepCache = tuple[Array, Array, Array, Array, Array, Array, Array, Array]


def gru_step_forward(
    x: Float[Array, "N D"],
    prev_h: Float[Array, "N H"],
    Wx: Float[Array, "D 3*H"],
    Wh: Float[Array, "H 3*H"],
    b: Float[Array, " 3*H"],
) -> tuple[Float[Array, "N H"], GRUStepCache]:
    """One time step, as the formulas at the top of this file.

    Args:
        x: (N, D) input at this step.
        prev_h: (N, H) previous hidden state.
        Wx: (D, 3H) input-to-hidden weights, in the order r, z, n.
        Wh: (H, 3H) hidden-to-hidden weights, likewise.
        b: (3H,) biases, likewise.

    Returns:
        next_h (N, H), and the cache for `gru_step_backward`.

    >>> import numpy as np
    >>> x, h, Wx, Wh = np.zeros((1, 1)), np.ones((1, 1)), np.zeros((1, 3)), np.zeros((1, 3))
    >>> gru_step_forward(x, h, Wx, Wh, np.zeros(3))[0]
    array([[0.5]])
    """
    H = prev_h.shape[1]
    from_x, from_h = x @ Wx + b, prev_h @ Wh
    rz = sigmoid(from_x[:, : 2 * H] + from_h[:, : 2 * H])
    r, z = rz[:, :H], rz[:, H:]
    recalled = from_h[:, 2 * H :]
    n = np.tanh(from_x[:, 2 * H :] + r * recalled)
    next_h = (1 - z) * n + z * prev_h
    return next_h, (x, prev_h, Wx, Wh, r, z, n, recalled)


def gru_step_backward(
    dnext_h: Float[Array, "N H"], cache: GRUStepCache
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
        cache: of `gru_step_forward`.

    Returns:
        dx (N, D), dprev_h (N, H), dWx (D, 3H), dWh (H, 3H), db (3H,).
    """
    x, prev_h, Wx, Wh, r, z, n, recalled = cache
    # next_h = (1 - z) * n + z * prev_h
    dn = dnext_h * (1 - z)
    dz = dnext_h * (prev_h - n)
    # n = tanh(a_n + r * recalled)
    da_n = dn * (1 - n**2)
    dr = da_n * recalled
    drecalled = da_n * r
    # r, z = sigmoid(a_r, a_z),  and sigmoid' = sigmoid * (1 - sigmoid)
    da_r = dr * r * (1 - r)
    da_z = dz * z * (1 - z)
    # from_x = x Wx + b;  from_h = prev_h Wh, whose third block is `recalled`
    dfrom_x = np.concatenate([da_r, da_z, da_n], axis=1)
    dfrom_h = np.concatenate([da_r, da_z, drecalled], axis=1)
    dx = dfrom_x @ Wx.T
    dprev_h = dnext_h * z + dfrom_h @ Wh.T
    dWx = x.T @ dfrom_x
    dWh = prev_h.T @ dfrom_h
    db = dfrom_x.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


gru_forward = partial(unroll_forward, gru_step_forward)
"""The cell over a whole sequence, see `unroll_forward`."""

gru_backward = partial(unroll_backward, gru_step_backward)
"""Backpropagation through time, see `unroll_backward`."""
