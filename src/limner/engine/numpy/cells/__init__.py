"""The fast recurrent cells, by their names in `limner.layers.cells`; not every cell has one."""

from limner.engine.numpy.cells import gru, lstm, rnn
from limner.engine.numpy.cells.base import FastCell, by_gate, recurrent_weights

FAST_CELLS: dict[str, FastCell] = {"rnn": rnn.CELL, "gru": gru.CELL, "lstm": lstm.CELL}

__all__ = ["FAST_CELLS", "FastCell", "by_gate", "recurrent_weights"]
