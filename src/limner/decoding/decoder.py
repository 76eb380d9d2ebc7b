"""The interface between models and decoding: three functions over the rows of a batch.

Shapes: N images, R rows (captions or prefixes), V vocabulary.
"""

from typing import Any, Protocol, runtime_checkable

from limner.typing import Array, Float, Int

State = Any
"""The state of a decoder's rows between two steps; opaque to its users."""


@runtime_checkable
class Decoder(Protocol):
    """Next-token scores of each row. Models are decoders; engines provide faster ones."""

    def start(self, features: Float[Array, "N *L D"]) -> State:
        """The state before the first token, one row per image.

        Args:
            features: of N images.
        """
        ...

    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """Logits of the token after `tokens`, and the state after them.

        The caller may change the logits, and the next call may overwrite them.

        Args:
            tokens: the last token of each row.
            state: of `start`, `step` or `select`.
        """
        ...

    def select(self, state: State, rows: Array) -> State:
        """The state of these rows: indices, in any order and number, or a mask.

        Args:
            state: as for `step`.
            rows: indices, in any order and number, or a mask.
        """
        ...


class BigramDecoder:
    """A decoder whose scores depend only on the previous token: for examples and tests.

    Args:
        scores: (V, V), of each token (column) after each other (row).

    >>> import numpy as np
    >>> decoder = BigramDecoder(np.array([[0.0, 1.0], [2.0, 0.0]]))
    >>> scores, _ = decoder.step(np.array([1, 0]), decoder.start(np.zeros((2, 0))))
    >>> scores.tolist()
    [[2.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, scores: Float[Array, "V V"]) -> None:
        self._scores = scores

    def start(self, features: Float[Array, "N *L D"]) -> State:
        """See `Decoder.start`; there is no state."""
        return None

    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """See `Decoder.step`."""
        scores: Array = self._scores[tokens]
        return scores, state

    def select(self, state: State, rows: Array) -> State:
        """See `Decoder.select`."""
        return state
