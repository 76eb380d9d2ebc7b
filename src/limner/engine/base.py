"""What a training engine is: the seam where the NumPy and, later, other engines plug in."""

from typing import Protocol

from limner.arrays import Array, Float, Int


class Engine(Protocol):
    """Computes a model's loss and gradients, and updates its parameters in place.

    N captions of T words, with features of dimension D.
    """

    def step(self, features: Float[Array, "N D"], captions: Int[Array, "N T"]) -> float:
        """Forward, backward and one update of the model's parameters; returns the loss."""
        ...

    def loss_and_grads(
        self, features: Float[Array, "N D"], captions: Int[Array, "N T"]
    ) -> tuple[float, dict[str, Array]]:
        """The loss and its gradient by every parameter; changes nothing."""
        ...

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of every parameter."""
        ...

    def state_dict(self) -> dict[str, Array]:
        """What the update rule remembers, as named arrays: with it training goes on bit for bit."""
        ...

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Take back what `state_dict` gave."""
        ...
