"""A model's decoding step, prepared for many calls.

It gives what `CaptioningRNN.step` gives. What a word puts into the cell, `x Wx + b`, depends on the
word alone, so it is computed once, when the word is first said; and the weights are laid out gate
by gate, as in `limner.engine.cells`.

Shapes: N rows (captions or beams), V vocabulary, W word vector, H hidden; m = 1 (rnn),
3 (gru) or 4 (lstm).
"""

from collections.abc import Callable, Mapping

import numpy as np

from limner.arrays import Array, Float, Int
from limner.workspace import Workspace

State = tuple[Array, ...]


def stepper(
    params: Mapping[str, Array],
) -> Callable[[Int[Array, " N"], State], tuple[Float[Array, "N V"], State]]:
    """A step function `(words (N,), state) -> (scores (N, V), state)` with these parameters.

    The scores are overwritten at the next call.

    Args:
        params: of `CaptioningRNN`; must not change while the step is in use.
    """
    W_embed, Wx = params["W_embed"], params["Wx"]
    H, mH = params["Wh"].shape
    m, V = mH // H, len(W_embed)
    cell = _CELLS[m]
    Wx, b = _by_gate(Wx, m), params["b"].reshape(m, 1, H)
    # rows 64 bytes longer than H: right under each other, they fall into the same cache sets
    Wh = np.empty((m, H, H + 64 // Wx.itemsize), Wx.dtype)[..., :H]
    Wh[:] = _by_gate(params["Wh"], m)
    inputs = np.empty((m, V, H), Wx.dtype)
    known = np.zeros(V, dtype=bool)
    workspace = Workspace(Wx.dtype.type)

    def step(words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        new = np.unique(words[~known[words]])
        if len(new):
            inputs[:, new] = W_embed[new] @ Wx + b
            known[new] = True
        N = len(words)
        a = np.matmul(state[0], Wh)
        looked_up = inputs.take(words, axis=1, out=workspace("looked up", m, N, H), mode="clip")
        state = cell(a, looked_up, *state)
        scores = np.matmul(state[0], params["W_vocab"], out=workspace("scores", N, V))
        scores += params["b_vocab"]
        return scores, state

    return step


def _rnn(a: Float[Array, "1 N H"], inputs: Float[Array, "1 N H"], *_: Array) -> State:
    a += inputs
    return (np.tanh(a[0], out=a[0]),)


def _gru(
    a: Float[Array, "3 N H"], inputs: Float[Array, "3 N H"], prev_h: Float[Array, "N H"]
) -> State:
    # r, z = sigmoid(a) = tanh(a / 2) / 2 + 1/2;  n = tanh(inputs_n + r * a_n)
    r, z, n = a
    rz = a[:2]
    rz += inputs[:2]
    rz *= 0.5
    np.tanh(rz, out=rz)
    rz *= 0.5
    rz += 0.5
    n *= r
    n += inputs[2]
    np.tanh(n, out=n)
    # h = (1 - z) * n + z * prev_h = n + z * (prev_h - n)
    h = prev_h - n
    h *= z
    h += n
    return (h,)


def _lstm(
    a: Float[Array, "4 N H"],
    inputs: Float[Array, "4 N H"],
    prev_h: Float[Array, "N H"],
    prev_c: Float[Array, "N H"],
) -> State:
    a += inputs
    # i, f, o = sigmoid(a) = tanh(a / 2) / 2 + 1/2;  g = tanh(a)
    ifo = a[:3]
    ifo *= 0.5
    np.tanh(a, out=a)
    ifo *= 0.5
    ifo += 0.5
    i, f, o, g = a
    c = f * prev_c
    g *= i
    c += g
    o *= np.tanh(c)
    return o, c


_CELLS: dict[int, Callable[..., State]] = {1: _rnn, 3: _gru, 4: _lstm}


def _by_gate(W: Float[Array, "R mH"], m: int) -> Float[Array, "m R H"]:
    return W.reshape(len(W), m, -1).transpose(1, 0, 2)
