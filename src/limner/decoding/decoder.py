"""What decoding needs of a model: three functions over the rows of a batch.

Shapes: N images, R rows (captions, or beams of captions), V vocabulary.
"""

from typing import Any, Protocol, runtime_checkable

from limner.typing import Array, Float, Int

State = Any
"""What a decoder knows of its rows between two steps; only the decoder looks inside."""


@runtime_checkable
class Decoder(Protocol):
    """Next-token scores, row by row. Models are decoders, and engines provide faster ones."""

    def start(self, features: Float[Array, "N *L D"]) -> State:
        """The state before the first token, a row for every image."""
        ...

    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """Scores (logits) of the next token after these; and the state after them.

        The caller may change the scores, and the next call may overwrite them.
        """
        ...

    def select(self, state: State, rows: Array) -> State:
        """The state of these rows: indices, in any order and number, or a mask."""
        ...


class BigramDecoder:
    """Scores that depend on the token before alone: for examples and tests.

    Args:
        scores: (V, V) of every token after every other.

    >>> import numpy as np
    >>> decoder = BigramDecoder(np.array([[0.0, 1.0], [2.0, 0.0]]))
    >>> scores, _ = decoder.step(np.array([1, 0]), decoder.start(np.zeros((2, 0))))
    >>> scores.tolist()
    [[2.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, scores: Float[Array, "V V"]) -> None:
        self._scores = scores

    def start(self, features: Float[Array, "N *L D"]) -> State:
        """See `Decoder.start`; there is nothing to know."""
        return None

    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """See `Decoder.step`."""
        scores: Array = self._scores[tokens]
        return scores, state

    def select(self, state: State, rows: Array) -> State:
        """See `Decoder.select`."""
        return state
