"""Which fast pass and which fast decoder a model has.

Shapes: M images, L regions, D features.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from limner.decoding import Decoder
from limner.engine.numpy.attention import AttentionPass
from limner.engine.numpy.attention_decoder import AttentionDecoder
from limner.engine.numpy.cells import FAST_CELLS
from limner.engine.numpy.recurrent import RecurrentPass
from limner.engine.numpy.recurrent_decoder import RecurrentDecoder
from limner.models import (
    AttentionRNN,
    Batch,
    CaptioningModel,
    CaptioningRNN,
    Ensemble,
    EnsembleDecoder,
    Masks,
    WordModel,
)
from limner.typing import Array, Float


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


class Fast(NamedTuple):
    """What computes the same as a class of models, faster."""

    new_pass: Any
    new_decoder: Any


FAST: dict[type[WordModel], Fast] = {
    CaptioningRNN: Fast(RecurrentPass, RecurrentDecoder),
    AttentionRNN: Fast(AttentionPass, AttentionDecoder),
}
"""By exactly that class: a subclass may compute something else."""


def _fast(model: WordModel) -> Fast | None:
    """None where there is none for this class, or for its cell."""
    if isinstance(model, CaptioningRNN) and model.config.cell_type not in FAST_CELLS:
        return None
    return FAST.get(type(model))


def has_fast_pass(model: CaptioningModel) -> bool:
    """Whether there is a fast pass for exactly this class of model, and for its cell."""
    return _fast(model) is not None


def fast_pass(
    model: CaptioningModel, params: dict[str, Array], grads: dict[str, Array]
) -> Pass | None:
    """The fast pass for exactly this class of model; None where there is none, or for its cell.

    Args:
        model: for its shape.
        params: the model's parameters.
        grads: arrays of the same names and shapes, for the gradients.
    """
    fast = _fast(model)
    return fast.new_pass(model, params, grads) if fast else None


def fast_decoder(model: WordModel) -> Decoder:
    """A decoder with the model's present parameters: a fast one, or the model itself.

    Args:
        model: its parameters must not change while the decoder is in use.

    >>> import numpy as np
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, 8, rng=np.random.default_rng(0))
    >>> decoder = fast_decoder(model)
    >>> scores, _ = decoder.step(np.array([1]), decoder.start(np.ones((1, 8))))
    >>> bool(np.allclose(scores, model.step(np.array([1]), model.start(np.ones((1, 8))))[0]))
    True
    """
    if type(model) is Ensemble:
        return EnsembleDecoder([fast_decoder(member) for member in model.members])
    fast = _fast(model)
    made: Decoder = fast.new_decoder(model) if fast else model
    return made
