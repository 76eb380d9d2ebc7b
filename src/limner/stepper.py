"""A model's decoding step, prepared for many calls.

It gives what `CaptioningRNN.step` gives. What a word puts into the cell, `x Wx + b`, depends on the
word alone, so it is computed once for the whole vocabulary; and the weights are laid out gate by
gate, as in `limner.engine.cells`.

Shapes: N rows (captions or beams), V vocabulary, W word vector, H hidden; m = 1 (rnn) or 4 (lstm).
"""

from collections.abc import Callable, Mapping

import numpy as np

from limner.arrays import Array, Float, Int

State = tuple[Array, ...]


def stepper(
    params: Mapping[str, Array], num_rows: int
) -> Callable[[Int[Array, " N"], State], tuple[Float[Array, "N V"], State]]:
    """A step function `(words (N,), state) -> (scores (N, V), state)` with these parameters.

    Args:
        params: of `CaptioningRNN`; must not change while the step is in use.
        num_rows: how many captions are decoded at once, about: with few of them, preparing the
            whole vocabulary would take longer than it saves.
    """
    W_embed, Wx, b = params["W_embed"], params["Wx"], params["b"]
    H, mH = params["Wh"].shape
    m, V = mH // H, len(W_embed)
    # rows 64 bytes longer than H: right under each other, they fall into the same cache sets
    Wh = np.empty((m, H, H + 64 // Wx.itemsize), Wx.dtype)[..., :H]
    Wh[:] = _by_gate(params["Wh"], m)
    bias = b.reshape(m, 1, H)
    prepared = num_rows * 10 > V  # a caption has about ten words
    inputs = W_embed @ _by_gate(Wx, m) + bias if prepared else None

    def step(words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        a = state[0] @ Wh
        if inputs is None:
            a += W_embed[words] @ _by_gate(Wx, m)
            a += bias
        else:
            a += inputs[:, words]
        state = _rnn(a) if m == 1 else _lstm(a, state[1])
        scores = state[0] @ params["W_vocab"]
        scores += params["b_vocab"]
        return scores, state

    return step


def _rnn(a: Float[Array, "1 N H"]) -> State:
    return (np.tanh(a[0], out=a[0]),)


def _lstm(a: Float[Array, "4 N H"], prev_c: Float[Array, "N H"]) -> State:
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


def _by_gate(W: Float[Array, "R mH"], m: int) -> Float[Array, "m R H"]:
    return W.reshape(len(W), m, -1).transpose(1, 0, 2)
