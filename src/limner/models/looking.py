"""The decoding step of `AttentionRNN`, prepared for many calls.

It gives what `AttentionRNN.step` gives. What a word puts into the cell is computed once, when the
word is first said; what the state is multiplied with, for the query, the gate and the cell, stands
in one matrix.

Shapes: N rows (captions or beams), V vocabulary, W word vector, H hidden, L places, E what is seen
of a place, A attention.
"""

from collections.abc import Callable, Mapping

import numpy as np

from limner.arrays import Array, Float, Int
from limner.layers import attention_forward

State = tuple[Array, ...]


def looking_stepper(
    params: Mapping[str, Array],
) -> Callable[[Int[Array, " N"], State], tuple[Float[Array, "N V"], State]]:
    """A step function `(words (N,), state) -> (scores (N, V), state)` with these parameters.

    Args:
        params: of `AttentionRNN`; must not change while the step is in use.
    """
    W_embed, W_out = params["W_embed"], params["W_out"]
    V, W = W_embed.shape
    H, A, E = len(params["Wh"]), params["w_fit"].size, params["b_gate"].size
    Wx, Wz = params["Wx"][:W], params["Wx"][W:]
    of_h = np.concatenate([params["W_query"], params["W_gate"], params["Wh"]], axis=1)
    inputs = np.empty((V, 4 * H), W_embed.dtype)
    known = np.zeros(V, dtype=bool)
    W_vocab = W_embed.T

    def step(words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        new = np.unique(words[~known[words]])
        if len(new):
            inputs[new] = W_embed[new] @ Wx + params["b"]
            known[new] = True
        h, c, seen, keys = state
        query, wanted, a = np.split(h @ of_h, [A, A + E], axis=1)
        context, _, _ = attention_forward(seen, keys, query + params["b_query"], params["w_fit"])
        z = context
        z *= _sigmoid(wanted + params["b_gate"])
        a = a + inputs[words]
        a += z @ Wz
        ifo = _sigmoid(a[:, : 3 * H])
        i, f, o = ifo[:, :H], ifo[:, H : 2 * H], ifo[:, 2 * H :]
        c = f * c + i * np.tanh(a[:, 3 * H :])
        h = o * np.tanh(c)
        out = np.tanh(h @ W_out[:H] + z @ W_out[H:] + params["b_out"])
        scores = out @ W_vocab
        scores += params["b_vocab"]
        return scores, (h, c, seen, keys)

    return step


def _sigmoid(a: Array) -> Array:
    """Of a, which is overwritten: sigmoid(a) = tanh(a / 2) / 2 + 1/2."""
    a *= 0.5
    np.tanh(a, out=a)
    a *= 0.5
    a += 0.5
    return a
