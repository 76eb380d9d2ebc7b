"""Optimized recurrent cells, by their names in `limner.layers.cells`; optional for a cell."""

from limner.engine.numpy.cells import cho_gru, gru, lstm, rnn
from limner.engine.numpy.cells.base import FastCell, by_gate, recurrent_weights

FAST_CELLS: dict[str, FastCell] = {
    "rnn": rnn.CELL,
    "gru": gru.CELL,
    "cho_gru": cho_gru.CELL,
    "lstm": lstm.CELL,
}

__all__ = ["FAST_CELLS", "FastCell", "by_gate", "recurrent_weights"]
