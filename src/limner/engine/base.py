"""The interface of training engines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from limner.decoding import Decoder
from limner.models import Batch, CaptioningModel, Masks
from limner.randomness import Random
from limner.typing import Array


@dataclass(frozen=True)
class Regularization:
    """Dropout, label smoothing and gradient clipping.

    Attributes:
        dropout: rates by site (`CaptioningModel.dropout_sites`), for example {"output": 0.5}; each
            step has new masks.
        label_smoothing: see `limner.layers.temporal_softmax_loss`.
        clip_norm: maximum norm of the gradient of all parameters; None disables it. Source: R.
            Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013.

    Raises:
        ValueError: for a rate or smoothing outside 0 <= x < 1, or a norm of 0 or less.
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
        """Forward pass, backward pass and update; returns the loss before the update.

        Args:
            batch: the batch.
            learning_rate: of this step.

        Returns:
            The loss.
        """
        ...

    def loss_and_grads(self, batch: Batch, masks: Masks = ...) -> tuple[float, dict[str, Array]]:
        """Loss and gradients of `CaptioningModel.loss`, with the engine's label smoothing.

        Args:
            batch: the batch.
            masks: dropout masks by site.

        Returns:
            The loss, and the gradient of each parameter.
        """
        ...

    def decoder(self) -> Decoder:
        """A decoder with the current parameters, valid until the next step."""
        ...

    def params(self) -> dict[str, Array]:
        """The parameters, by name."""
        ...

    def state_dict(self) -> dict[str, Array]:
        """The optimizer's state as named arrays, from which training resumes bit for bit."""
        ...

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Restore the state of `state_dict`.

        Args:
            state: of `state_dict`.

        Raises:
            ValueError: if some of it is missing.
        """
        ...


@runtime_checkable
class EngineFactory(Protocol):
    """Creates an engine for a model: an engine class, or a function with additional options."""

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
