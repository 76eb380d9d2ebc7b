"""A model's decoding step, prepared for many calls.

It gives what `CaptioningRNN.step` gives. What a word puts into the cell, `x Wx + b`, depends on the
word alone, so it is computed once, when the word is first said; and the weights are laid out gate
by gate, as in `limner.engine.cells`.

Shapes: N rows (captions or beams), V vocabulary, W word vector, H hidden; m = 1 (rnn),
3 (gru) or 4 (lstm).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding import State, Step
from limner.workspace import Workspace


def stepper(
    params: Mapping[str, Array], num_gates: int, layer_names: Sequence[tuple[str, str, str]]
) -> Step:
    """A step function `(words (N,), state) -> (scores (N, V), state)` with these parameters.

    The scores are overwritten at the next call.

    Args:
        params: of `CaptioningRNN`; must not change while the step is in use.
        num_gates: m.
        layer_names: of Wx, Wh and b of every layer.
    """
    m = num_gates
    W_embed, W_vocab = params["W_embed"], params.get("W_vocab", params["W_embed"].T)
    (Wx, _, b), *_ = layer_names
    V, H = len(W_embed), params["Wh"].shape[0]
    dtype = W_embed.dtype
    by_word = _by_gate(params[Wx], m), params[b].reshape(m, 1, H)
    upper = [(_by_gate(params[Wx], m), params[b].reshape(m, 1, H)) for Wx, _, b in layer_names[1:]]
    recurrent = [_spaced(_by_gate(params[Wh], m)) for _, Wh, _ in layer_names]
    inputs = np.empty((m, V, H), dtype)
    known = np.zeros(V, dtype=bool)
    workspace = Workspace(dtype.type)
    cell = _CELLS[m]

    def step(words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        new = np.unique(words[~known[words]])
        if len(new):
            inputs[:, new] = W_embed[new] @ by_word[0] + by_word[1]
            known[new] = True
        N, width = len(words), len(state) // len(recurrent)
        x = inputs.take(words, axis=1, out=workspace("looked up", m, N, H), mode="clip")
        after: list[Array] = []
        for layer, Wh in enumerate(recurrent):
            if layer:
                x = after[-width] @ upper[layer - 1][0] + upper[layer - 1][1]
            before = state[layer * width : (layer + 1) * width]
            after += cell(np.matmul(before[0], Wh), x, *before)
        scores = np.matmul(after[-width], W_vocab, out=workspace("scores", N, V))
        scores += params["b_vocab"]
        return scores, tuple(after)

    return step


def _spaced(Wh: Float[Array, "m H H"]) -> Float[Array, "m H H"]:
    """A copy with rows 64 bytes longer than H.

    Right under each other, rows whose length is a power of two fall into the same cache sets.
    """
    m, H, _ = Wh.shape
    spaced = np.empty((m, H, H + 64 // Wh.itemsize), Wh.dtype)[..., :H]
    spaced[:] = Wh
    return spaced


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
