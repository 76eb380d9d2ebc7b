"""Optimized decoder of `AttentionRNN`.

It computes the same as `AttentionRNN.step`. The contribution of a token to the cell is computed
when the token first occurs; the weights applied to the state form one matrix.

Shapes: N images, R rows (captions or prefixes), V vocabulary, H hidden, L regions, E projected
region, A attention, G = 4H.
"""

import numpy as np

from limner.decoding import State
from limner.engine.numpy.cells.lstm import activated
from limner.layers import sigmoid
from limner.models import AttentionRNN
from limner.models.attention import Regions
from limner.typing import Array, Float, Int


class AttentionDecoder:
    """See `limner.decoding.Decoder`.

    Args:
        model: its parameters must not change while the decoder is in use.
    """

    def __init__(self, model: AttentionRNN) -> None:
        p, config = model.params, model.config
        self._model = model
        W, self._H = config.wordvec_dim, config.hidden_dim
        self._Wx, self._Wz = p["Wx"][:W], p["Wx"][W:]
        self._of_h = np.concatenate([p["W_query"], p["W_gate"], p["Wh"]], axis=1)
        self._parts = [config.attention_dim, config.attention_dim + config.place_dim]
        V = len(p["W_embed"])
        self._inputs = np.empty((V, 4 * self._H), model.dtype)
        self._known = np.zeros(V, dtype=bool)

    def start(self, features: Float[Array, "N L D"]) -> State:
        """See `AttentionRNN.start`."""
        return self._model.start(features)

    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """See `Decoder.step`."""
        p, H = self._model.params, self._H
        h, c, regions = state
        query, gate, a = np.split(h @ self._of_h, self._parts, axis=1)
        z = attend(regions, query + p["b_query"], p["w_fit"])
        z *= sigmoid(gate + p["b_gate"])
        a = a + self._inputs_of(tokens)
        a += z @ self._Wz
        h, c = activated(a.reshape(-1, 4, H).transpose(1, 0, 2), c)
        out = np.tanh(h @ p["W_out"][:H] + z @ p["W_out"][H:] + p["b_out"])
        scores = out @ p["W_embed"].T
        scores += p["b_vocab"]
        return scores, (h, c, regions)

    def select(self, state: State, rows: Array) -> State:
        """See `Decoder.select`; the regions are not copied."""
        return self._model.select(state, rows)

    def _inputs_of(self, tokens: Int[Array, " R"]) -> Float[Array, "R G"]:
        p = self._model.params
        new = np.unique(tokens[~self._known[tokens]])
        if len(new):
            self._inputs[new] = p["W_embed"][new] @ self._Wx + p["b"]
            self._known[new] = True
        inputs: Array = self._inputs[tokens]
        return inputs


def attend(
    regions: Regions, query: Float[Array, "R A"], w: Float[Array, " A"]
) -> Float[Array, "R E"]:
    """The context of every row, as in `attention_forward`, image by image."""
    context = np.empty((len(query), regions.values.shape[2]), regions.values.dtype)
    changes = np.flatnonzero(np.diff(regions.image)) + 1
    ends = [*changes.tolist(), len(query)]
    for start, end in zip([0, *ends], ends, strict=False):
        if start == end:
            continue
        image = regions.image[start]
        fit = regions.keys[image] + query[start:end, None]
        np.tanh(fit, out=fit)
        e = fit @ w
        e -= e.max(axis=1, keepdims=True)
        np.exp(e, out=e)
        e /= e.sum(axis=1, keepdims=True)
        np.matmul(e, regions.values[image], out=context[start:end])
    return context
