"""Which fast pass a model has.

Shapes: M images, L regions, D features.
"""

from typing import Any, Protocol, runtime_checkable

from limner.arrays import Array, Float
from limner.engine.numpy.attention import AttentionPass
from limner.engine.numpy.recurrent import RecurrentPass
from limner.models import AttentionRNN, Batch, CaptioningModel, CaptioningRNN, Masks


@runtime_checkable
class Pass(Protocol):
    """Forward and backward through a model, into arrays for its gradients."""

    def __call__(
        self,
        batch: Batch,
        features: Float[Array, "M *L D"],
        masks: Masks,
        label_smoothing: float,
    ) -> float:
        """Fill the gradients; returns the loss. The features are the batch's, standardized."""
        ...


PASSES: dict[type[CaptioningModel], Any] = {
    CaptioningRNN: RecurrentPass,
    AttentionRNN: AttentionPass,
}
"""By exactly that class: a subclass may compute something else."""


def fast_pass(
    model: CaptioningModel, params: dict[str, Array], grads: dict[str, Array]
) -> Pass | None:
    """The fast pass for exactly this class of model; None where there is none, or for its cell.

    Args:
        model: for its shape.
        params: the model's parameters.
        grads: arrays of the same names and shapes, for the gradients.
    """
    kind = PASSES.get(type(model))
    return kind(model, params, grads) if kind and kind.supports(model) else None
