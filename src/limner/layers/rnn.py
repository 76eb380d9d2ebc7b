"""The vanilla (Elman) recurrent network and backpropagation through time.

    h_t = tanh(x_t Wx + h_{t-1} Wh + b)

Shapes: N sequences, T time steps, D input, H hidden.
Source: J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990).
"""

import numpy as np

from limner.layers.unroll import unroll_backward, unroll_forward
from limner.typing import Array, Float

RNNStepCache = tuple[Array, Array, Array, Array, Array]


def rnn_step_forward(
    x: Float[Array, "N D"],
    prev_h: Float[Array, "N H"],
    Wx: Float[Array, "D H"],
    Wh: Float[Array, "H H"],
    b: Float[Array, " H"],
) -> tuple[Float[Array, "N H"], RNNStepCache]:
    """One time step: `next_h = tanh(x Wx + prev_h Wh + b)`.

    Args:
        x: (N, D) input at this step.
        prev_h: (N, H) previous hidden state.
        Wx: (D, H) input-to-hidden weights.
        Wh: (H, H) hidden-to-hidden weights.
        b: (H,) biases.

    Returns:
        next_h (N, H), and the cache for `rnn_step_backward`.

    >>> import numpy as np
    >>> x, h, one = np.zeros((1, 1)), np.zeros((1, 1)), np.ones((1, 1))
    >>> rnn_step_forward(x, h, one, one, np.array([0.5]))[0].round(4)
    array([[0.4621]])
    """
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, (x, prev_h, Wx, Wh, next_h)


def rnn_step_backward(
    dnext_h: Float[Array, "N H"], cache: RNNStepCache
) -> tuple[
    Float[Array, "N D"],
    Float[Array, "N H"],
    Float[Array, "D H"],
    Float[Array, "H H"],
    Float[Array, " H"],
]:
    """Gradients of one step.

    Args:
        dnext_h: (N, H) gradient of the hidden state.
        cache: of `rnn_step_forward`.

    Returns:
        dx (N, D), dprev_h (N, H), dWx (D, H), dWh (H, H), db (H,).
    """
    x, prev_h, Wx, Wh, next_h = cache
    # next_h = tanh(a),  and tanh'(a) = 1 - tanh(a)^2
    da = dnext_h * (1 - next_h**2)
    # a = x Wx + prev_h Wh + b
    dx = da @ Wx.T
    dprev_h = da @ Wh.T
    dWx = x.T @ da
    dWh = prev_h.T @ da
    db = da.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


def rnn_forward(
    x: Float[Array, "N T D"],
    h0: Float[Array, "N H"],
    Wx: Float[Array, "D H"],
    Wh: Float[Array, "H H"],
    b: Float[Array, " H"],
) -> tuple[Float[Array, "N T H"], list[RNNStepCache]]:
    """The RNN over a whole sequence, starting from h0.

    Args:
        x: (N, T, D) input sequences, T >= 1.
        h0: (N, H) initial hidden state.
        Wx, Wh, b: as for `rnn_step_forward`.

    Returns:
        h (N, T, H), the hidden state after every step, and the cache of each step.

    >>> import numpy as np
    >>> x, h0, one = np.ones((1, 2, 1)), np.zeros((1, 1)), np.ones((1, 1))
    >>> rnn_forward(x, h0, one, one, np.zeros(1))[0].round(4)
    array([[[0.7616],
            [0.9427]]])
    """
    return unroll_forward(rnn_step_forward, x, h0, Wx, Wh, b)


def rnn_backward(
    dh: Float[Array, "N T H"], caches: list[RNNStepCache]
) -> tuple[
    Float[Array, "N T D"],
    Float[Array, "N H"],
    Float[Array, "D H"],
    Float[Array, "H H"],
    Float[Array, " H"],
]:
    """Backpropagation through time.

    A hidden state is used twice: by the layer above (`dh[:, t]`) and by the next step
    (`dprev_h`), so its gradient is the sum of both. The weights are shared by all steps,
    so their gradients are sums over the steps.

    Args:
        dh: (N, T, H) gradients of the hidden states from the layer above.
        caches: of `rnn_forward`.

    Returns:
        dx (N, T, D), dh0 (N, H), dWx (D, H), dWh (H, H), db (H,).
    """
    return unroll_backward(rnn_step_backward, dh, caches)
