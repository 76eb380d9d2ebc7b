"""What a training engine is: the seam where the NumPy and, later, other engines plug in."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from limner.arrays import Array, Bool, Float, Int
from limner.layers import Shared
from limner.models import CaptioningModel, Dropout, Masks


@dataclass(frozen=True)
class Regularisation:
    """What keeps a model from learning its training captions by heart, or from a step too far.

    Attributes:
        dropout: by place; its masks are drawn anew for every step.
        smoothing: of the labels.
        clip_norm: gradients are scaled down so that their norm, over all parameters, is at most
            this; None leaves them. Source: R. Pascanu et al., "On the difficulty of training
            recurrent neural networks", ICML 2013.
    """

    dropout: Dropout = field(default_factory=Dropout)
    smoothing: float = 0.0
    clip_norm: float | None = None


@dataclass(frozen=True)
class Batch:
    """What one pass goes over, checked; see `CaptioningModel.loss` for the shapes."""

    features: Float[Array, "M *_ D"]
    captions: Int[Array, "N T"]
    image_idxs: Int[Array, " N"]
    weights: Float[Array, " N"] | None
    smoothing: float
    masks: Masks | None
    inputs: Int[Array, "N T-1"] | None
    shared: Shared | None

    @classmethod
    def of(
        cls,
        model: CaptioningModel,
        features: Float[Array, "M *_ D"],
        captions: Int[Array, "N T"],
        image_idxs: Int[Array, " N"] | None = None,
        weights: Float[Array, " N"] | None = None,
        smoothing: float = 0.0,
        masks: Masks | None = None,
        inputs: Int[Array, "N T-1"] | None = None,
        shared: Shared | None = None,
    ) -> "Batch":
        """Check and standardise; ValueError if the shapes do not fit."""
        features, image_idxs = model.checked_batch(features, captions, image_idxs, inputs, shared)
        return cls(features, captions, image_idxs, weights, smoothing, masks, inputs, shared)

    def counts(self, caption: Int[Array, " P"], counted: Bool[Array, " P"]) -> Float[Array, " P"]:
        """What each of these rows counts in the loss."""
        if self.weights is None:
            return counted.astype(self.features.dtype)
        return np.where(counted, self.weights[caption], 0).astype(self.features.dtype)

    def others(self, caption: Int[Array, " P"], place: Int[Array, " P"]) -> Shared | None:
        """What other words than the right one have of each of these rows; (P, K)."""
        if self.shared is None:
            return None
        words, shares = (part[caption, place] for part in self.shared)
        return Shared(words, shares.astype(self.features.dtype, copy=False))


class Engine(Protocol):
    """Computes a model's loss and gradients, and updates its parameters in place.

    N captions of T words, of M pictures: see `CaptioningModel.loss`.
    """

    def step(
        self,
        features: Float[Array, "M *_ D"],
        captions: Int[Array, "N T"],
        image_idxs: Int[Array, " N"] | None = None,
        weights: Float[Array, " N"] | None = None,
        inputs: Int[Array, "N T-1"] | None = None,
        shared: Shared | None = None,
    ) -> float:
        """Forward, backward and one update of the model's parameters; returns the loss."""
        ...

    def loss_and_grads(
        self,
        features: Float[Array, "M *_ D"],
        captions: Int[Array, "N T"],
        image_idxs: Int[Array, " N"] | None = None,
        weights: Float[Array, " N"] | None = None,
        smoothing: float = 0.0,
        masks: Masks | None = None,
        inputs: Int[Array, "N T-1"] | None = None,
        shared: Shared | None = None,
    ) -> tuple[float, dict[str, Array]]:
        """`CaptioningModel.loss`: the loss and its gradient by every parameter; changes nothing."""
        ...

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of every parameter."""
        ...

    def set_learning_rate(self, learning_rate: float) -> None:
        """Give every parameter this learning rate."""
        ...

    def state_dict(self) -> dict[str, Array]:
        """What the update rule remembers, as named arrays: with it training goes on bit for bit."""
        ...

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Take back what `state_dict` gave."""
        ...
