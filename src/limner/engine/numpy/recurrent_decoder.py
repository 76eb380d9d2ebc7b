"""Optimized decoder of `CaptioningRNN`.

It computes the same as `CaptioningRNN.step`. The contribution of a token to the cell, `x Wx + b`,
is computed when the token first occurs; the weights are stored gate by gate, as in training.

Shapes: N images, R rows (captions or prefixes), V vocabulary, D features, H hidden, m gates.
"""

import numpy as np

from limner.decoding import State
from limner.engine.numpy.cells import FAST_CELLS, by_gate
from limner.engine.numpy.cells.base import spaced
from limner.engine.numpy.workspace import Workspace
from limner.models import CaptioningRNN
from limner.typing import Array, Float, Int


class RecurrentDecoder:
    """See `limner.decoding.Decoder`; the scores are overwritten at the next step.

    Args:
        model: its parameters must not change while the decoder is in use.
    """

    def __init__(self, model: CaptioningRNN) -> None:
        params, m = model.params, model.cell.gates
        self._model = model
        self._cell = FAST_CELLS[model.config.cell_type]
        self._states = model.cell.states
        self._layers = [
            (by_gate(params[Wx], m), _spaced(by_gate(params[Wh], m)), params[b].reshape(m, 1, -1))
            for Wx, Wh, b in model.layer_names
        ]
        V, H = len(params["W_embed"]), model.config.hidden_dim
        self._W_vocab = params.get("W_vocab", params["W_embed"].T)
        self._inputs = np.empty((m, V, H), model.dtype)
        self._known = np.zeros(V, dtype=bool)
        self._workspace = Workspace(model.dtype)

    def start(self, features: Float[Array, "N D"]) -> State:
        """See `CaptioningRNN.start`."""
        return self._model.start(features)

    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """See `Decoder.step`."""
        x = self._inputs_of(tokens)
        next_state: list[Array] = []
        for layer, (Wx, Wh, b) in enumerate(self._layers):
            if layer:
                x = next_state[-self._states] @ Wx + b
            prev = state[layer * self._states : (layer + 1) * self._states]
            next_state += self._cell.decode(x, prev, Wh)
        h, V = next_state[-self._states], len(self._known)
        scores = np.matmul(h, self._W_vocab, out=self._workspace("scores", len(h), V))
        scores += self._model.params["b_vocab"]
        return scores, tuple(next_state)

    def select(self, state: State, rows: Array) -> State:
        """See `Decoder.select`."""
        return self._model.select(state, rows)

    def _inputs_of(self, tokens: Int[Array, " R"]) -> Float[Array, "m R H"]:
        new = np.unique(tokens[~self._known[tokens]])
        if len(new):
            Wx, _, b = self._layers[0]
            self._inputs[:, new] = self._model.params["W_embed"][new] @ Wx + b
            self._known[new] = True
        m, _, H = self._inputs.shape
        room = self._workspace("inputs", m, len(tokens), H)
        return self._inputs.take(tokens, axis=1, out=room, mode="clip")


def _spaced(Wh: Float[Array, "m H H"]) -> Float[Array, "m H H"]:
    """A copy with padded rows, see `spaced`."""
    m, H, _ = Wh.shape
    copy = spaced((m, H, H), Workspace(Wh.dtype.type), "Wh")
    copy[:] = Wh
    return copy
