"""A cell with one state array over a whole sequence, and backpropagation through time.

Shapes: N sequences, T time steps, D input, H hidden; m gates.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from limner.typing import Array, Float

Grads = tuple[Array, Array, Array, Array, Array]


def unroll_forward(
    step_forward: Callable[..., Any],
    x: Float[Array, "N T D"],
    h0: Float[Array, "N H"],
    Wx: Float[Array, "D mH"],
    Wh: Float[Array, "H mH"],
    b: Float[Array, " mH"],
) -> tuple[Float[Array, "N T H"], list[Any]]:
    """Run a step over a sequence.

    Args:
        step_forward: `(x_t (N, D), prev_h, Wx, Wh, b) -> (next_h, cache)`.
        x: (N, T, D) input sequences, T >= 1.
        h0: (N, H) initial hidden state.
        Wx, Wh, b: parameters of the cell.

    Returns:
        h (N, T, H), the hidden state after every step, and the cache of each step.

    >>> from limner.layers.rnn import rnn_step_forward
    >>> x, h0, one = np.ones((1, 2, 1)), np.zeros((1, 1)), np.ones((1, 1))
    >>> unroll_forward(rnn_step_forward, x, h0, one, one, np.zeros(1))[0].round(4)
    array([[[0.7616],
            [0.9427]]])
    """
    N, T, _ = x.shape
    h = np.empty((N, T, h0.shape[1]), dtype=x.dtype)
    caches = []
    next_h = h0
    for t in range(T):
        next_h, cache = step_forward(x[:, t], next_h, Wx, Wh, b)
        h[:, t] = next_h
        caches.append(cache)
    return h, caches


def unroll_backward(
    step_backward: Callable[..., Any], dh: Float[Array, "N T H"], caches: list[Any]
) -> Grads:
    """Backpropagation through time; `rnn_backward` explains the sums.

    Args:
        step_backward: `(dnext_h, cache) -> (dx_t, dprev_h, dWx, dWh, db)`.
        dh: (N, T, H) gradients of the hidden states from the layer above.
        caches: of `unroll_forward`.

    Returns:
        dx (N, T, D), dh0 (N, H), dWx (D, mH), dWh (H, mH), db (mH,).
    """
    N, T, _ = dh.shape
    dx_T, dprev_h, dWx, dWh, db = step_backward(dh[:, T - 1], caches[T - 1])
    dx = np.empty((N, T, dx_T.shape[1]), dtype=dh.dtype)
    dx[:, T - 1] = dx_T
    for t in reversed(range(T - 1)):
        dx[:, t], dprev_h, dWx_t, dWh_t, db_t = step_backward(dh[:, t] + dprev_h, caches[t])
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return dx, dprev_h, dWx, dWh, db
