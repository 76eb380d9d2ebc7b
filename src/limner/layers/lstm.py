"""Long short-term memory and backpropagation through time.

    a = x_t Wx + h_{t-1} Wh + b           four blocks of H columns: a_i, a_f, a_o, a_g
    i, f, o = sigmoid(a_i, a_f, a_o)      input, forget and output gate
    g = tanh(a_g)                         candidate
    c_t = f * c_{t-1} + i * g             cell state
    h_t = o * tanh(c_t)                   hidden state

Shapes: N sequences, T time steps, D input, H hidden.
Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997);
the forget gate: F. Gers et al., "Learning to forget", Neural Computation 12 (2000).
"""

import numpy as np

from limner.layers.sigmoid import sigmoid
from limner.typing import Array, Float

LSTMStepCache = tuple[Array, Array, Array, Array, Array, Array, Array, Array, Array, Array]


def lstm_step_forward(
    x: Float[Array, "N D"],
    prev_h: Float[Array, "N H"],
    prev_c: Float[Array, "N H"],
    Wx: Float[Array, "D 4*H"],
    Wh: Float[Array, "H 4*H"],
    b: Float[Array, " 4*H"],
) -> tuple[Float[Array, "N H"], Float[Array, "N H"], LSTMStepCache]:
    """One time step, as the formulas at the top of this file.

    Args:
        x: (N, D) input at this step.
        prev_h: (N, H) previous hidden state.
        prev_c: (N, H) previous cell state.
        Wx: (D, 4H) input-to-hidden weights, gates in the order i, f, o, g.
        Wh: (H, 4H) hidden-to-hidden weights, likewise.
        b: (4H,) biases, likewise.

    Returns:
        next_h (N, H), next_c (N, H), and the cache for `lstm_step_backward`.

    >>> import numpy as np
    >>> zero, Wx, Wh = np.zeros((1, 1)), np.zeros((1, 4)), np.zeros((1, 4))
    >>> h, c, _ = lstm_step_forward(zero, zero, np.ones((1, 1)), Wx, Wh, np.zeros(4))
    >>> h.round(4), c
    (array([[0.2311]]), array([[0.5]]))
    """
    H = prev_h.shape[1]
    a = x @ Wx + prev_h @ Wh + b
    gates = sigmoid(a[:, : 3 * H])
    i, f, o = gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H :]
    g = np.tanh(a[:, 3 * H :])
    next_c = f * prev_c + i * g
    tanh_c = np.tanh(next_c)
    next_h = o * tanh_c
    return next_h, next_c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, tanh_c)


def lstm_step_backward(
    dnext_h: Float[Array, "N H"], dnext_c: Float[Array, "N H"], cache: LSTMStepCache
) -> tuple[
    Float[Array, "N D"],
    Float[Array, "N H"],
    Float[Array, "N H"],
    Float[Array, "D 4*H"],
    Float[Array, "H 4*H"],
    Float[Array, " 4*H"],
]:
    """Gradients of one step, from those of both outputs.

    Args:
        dnext_h: (N, H) gradient of the hidden state.
        dnext_c: (N, H) gradient of the cell state, from the next step.
        cache: of `lstm_step_forward`.

    Returns:
        dx (N, D), dprev_h (N, H), dprev_c (N, H), dWx (D, 4H), dWh (H, 4H), db (4H,).
    """
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, tanh_c = cache
    # next_h = o * tanh(next_c)
    do = dnext_h * tanh_c
    dc = dnext_c + dnext_h * o * (1 - tanh_c**2)
    # next_c = f * prev_c + i * g
    df = dc * prev_c
    dprev_c = dc * f
    di = dc * g
    dg = dc * i
    # i, f, o = sigmoid(a_i, a_f, a_o),  and sigmoid' = sigmoid * (1 - sigmoid);  g = tanh(a_g)
    da_i = di * i * (1 - i)
    da_f = df * f * (1 - f)
    da_o = do * o * (1 - o)
    da_g = dg * (1 - g**2)
    da = np.concatenate([da_i, da_f, da_o, da_g], axis=1)
    # a = x Wx + prev_h Wh + b
    dx = da @ Wx.T
    dprev_h = da @ Wh.T
    dWx = x.T @ da
    dWh = prev_h.T @ da
    db = da.sum(axis=0)
    return dx, dprev_h, dprev_c, dWx, dWh, db


def lstm_forward(
    x: Float[Array, "N T D"],
    h0: Float[Array, "N H"],
    Wx: Float[Array, "D 4*H"],
    Wh: Float[Array, "H 4*H"],
    b: Float[Array, " 4*H"],
) -> tuple[Float[Array, "N T H"], list[LSTMStepCache]]:
    """The LSTM over a whole sequence, with an initial cell state of zero.

    Args:
        x: (N, T, D) input sequences, T >= 1.
        h0: (N, H) initial hidden state.
        Wx, Wh, b: as for `lstm_step_forward`.

    Returns:
        h (N, T, H), the hidden state after every step, and the cache of each step.

    >>> import numpy as np
    >>> x, h0 = np.ones((1, 2, 1)), np.zeros((1, 1))
    >>> lstm_forward(x, h0, np.ones((1, 4)), np.zeros((1, 4)), np.zeros(4))[0].round(4)
    array([[[0.3696],
            [0.5453]]])
    """
    N, T, _ = x.shape
    h = np.empty((N, T, h0.shape[1]), dtype=x.dtype)
    caches = []
    next_h, next_c = h0, np.zeros_like(h0)
    for t in range(T):
        next_h, next_c, cache = lstm_step_forward(x[:, t], next_h, next_c, Wx, Wh, b)
        h[:, t] = next_h
        caches.append(cache)
    return h, caches


def lstm_backward(
    dh: Float[Array, "N T H"], caches: list[LSTMStepCache]
) -> tuple[
    Float[Array, "N T D"],
    Float[Array, "N H"],
    Float[Array, "D 4*H"],
    Float[Array, "H 4*H"],
    Float[Array, " 4*H"],
]:
    """Backpropagation through time.

    A hidden state is used twice: by the layer above (`dh[:, t]`) and by the next step
    (`dprev_h`), so its gradient is the sum of both; a cell state is only used by the next step.
    The weights are shared by all steps, so their gradients are sums over the steps.

    Args:
        dh: (N, T, H) gradients of the hidden states from the layer above.
        caches: of `lstm_forward`.

    Returns:
        dx (N, T, D), dh0 (N, H), dWx (D, 4H), dWh (H, 4H), db (4H,).
    """
    x0, h0, _, Wx, Wh, *_ = caches[0]
    N, T, H = dh.shape
    dx = np.empty((N, T, x0.shape[1]), dtype=dh.dtype)
    dprev_h, dprev_c = np.zeros_like(h0), np.zeros_like(h0)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(4 * H, dtype=dh.dtype)
    for t in reversed(range(T)):
        dx[:, t], dprev_h, dprev_c, dWx_t, dWh_t, db_t = lstm_step_backward(
            dh[:, t] + dprev_h, dprev_c, caches[t]
        )
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return dx, dprev_h, dWx, dWh, db
