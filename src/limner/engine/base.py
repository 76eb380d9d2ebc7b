"""What a training engine is: the interface that the solver works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from limner.decoding import Decoder
from limner.models import Batch, CaptioningModel, Masks
from limner.randomness import Random
from limner.typing import Array


@dataclass(frozen=True)
class Regularization:
    """What keeps a model from learning its training captions by heart, or from a step too far.

    Attributes:
        dropout: the rate at each of the model's `dropout_sites`, e.g. {"output": 0.5}; masks are
            drawn anew for every step.
        label_smoothing: see `limner.layers.temporal_softmax_loss`.
        clip_norm: gradients are scaled down so that their norm, over all parameters, is at most
            this; None leaves them. Source: R. Pascanu et al., "On the difficulty of training
            recurrent neural networks", ICML 2013.

    Raises:
        ValueError: for a rate or a smoothing outside 0 <= x < 1, or a norm that is not above 0.
    """

    dropout: Mapping[str, float] = field(default_factory=dict)
    label_smoothing: float = 0.0
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        rates = {f"dropout at {site}": rate for site, rate in self.dropout.items()}
        for name, share in {**rates, "label_smoothing": self.label_smoothing}.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} {share}: expected a number from 0, below 1")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm {self.clip_norm}: expected a number above 0, or None")


@runtime_checkable
class Engine(Protocol):
    """Computes a model's loss and gradients, and updates its parameters."""

    def step(self, batch: Batch, learning_rate: float) -> float:
        """Forward, backward and one update of the parameters; returns the loss before it."""
        ...

    def loss_and_grads(self, batch: Batch, masks: Masks = ...) -> tuple[float, dict[str, Array]]:
        """`CaptioningModel.loss` with the engine's label smoothing; changes nothing."""
        ...

    def decoder(self) -> Decoder:
        """A decoder with the newest parameters; it is not to be used after the next step."""
        ...

    def params(self) -> dict[str, Array]:
        """The parameters, by name."""
        ...

    def state_dict(self) -> dict[str, Array]:
        """The optimizer's state as named arrays: with it training goes on bit for bit."""
        ...

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take back what `state_dict` gave.

        Raises:
            ValueError: if some of it is missing.
        """
        ...


@runtime_checkable
class EngineFactory(Protocol):
    """Makes an engine for a model: a class of engines, or a function with options of its own."""

    def __call__(
        self,
        model: CaptioningModel,
        update_rule: str,
        optim_config: Mapping[str, float],
        regularization: Regularization,
        rng: Random | None,
    ) -> Engine:
        """See `limner.engine.NumpyEngine` for the arguments."""
        ...
