"""The recurrent cells by name.

A new cell is a file beside this one and an entry here. `limner.engine.numpy.cells` has optimized
versions.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from limner.layers.cho_gru import (
    cho_gru_backward,
    cho_gru_forward,
    cho_gru_step_backward,
    cho_gru_step_forward,
)
from limner.layers.gru import gru_backward, gru_forward, gru_step_backward, gru_step_forward
from limner.layers.lstm import lstm_backward, lstm_forward, lstm_step_backward, lstm_step_forward
from limner.layers.rnn import rnn_backward, rnn_forward, rnn_step_backward, rnn_step_forward


class Cell(NamedTuple):
    """A recurrent cell.

    Attributes:
        gates: m, blocks of H columns in Wx, Wh and b.
        states: number of state arrays (N, H); the first is the hidden state.
        forward: `(x (N, T, D), h0, Wx, Wh, b) -> (h (N, T, H), cache)`.
        backward: `(dh (N, T, H), cache) -> (dx, dh0, dWx, dWh, db)`.
        step_forward: `(x (N, D), *state, Wx, Wh, b) -> (*next_state, cache)`.
        step_backward: `(*dnext_state, cache) -> (dx, *dstate, dWx, dWh, db)`.
    """

    gates: int
    states: int
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    step_forward: Callable[..., Any]
    step_backward: Callable[..., Any]


CellType = Literal["rnn", "gru", "cho_gru", "lstm"]

CELLS: dict[CellType, Cell] = {
    "rnn": Cell(1, 1, rnn_forward, rnn_backward, rnn_step_forward, rnn_step_backward),
    "gru": Cell(3, 1, gru_forward, gru_backward, gru_step_forward, gru_step_backward),
    "cho_gru": Cell(
        3, 1, cho_gru_forward, cho_gru_backward, cho_gru_step_forward, cho_gru_step_backward
    ),
    "lstm": Cell(4, 2, lstm_forward, lstm_backward, lstm_step_forward, lstm_step_backward),
}
