"""The optimized pass and decoder of each class of models.

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
    """Forward and backward pass of a model, which fills arrays with the gradients."""

    def __call__(
        self,
        batch: Batch,
        features: Float[Array, "M *L D"],
        masks: Masks,
        label_smoothing: float,
    ) -> float:
        """Fill the gradients; returns the loss. `features` are those of the batch, standardized."""
        ...


class Fast(NamedTuple):
    """The optimized implementations of a class of models."""

    new_pass: Any
    new_decoder: Any


FAST: dict[type[WordModel], Fast] = {
    CaptioningRNN: Fast(RecurrentPass, RecurrentDecoder),
    AttentionRNN: Fast(AttentionPass, AttentionDecoder),
}
"""By the exact class, since a subclass may compute something else."""


def _fast(model: WordModel) -> Fast | None:
    """None if there is none for this class, or for its cell."""
    if isinstance(model, CaptioningRNN) and model.config.cell_type not in FAST_CELLS:
        return None
    return FAST.get(type(model))


def has_fast_pass(model: CaptioningModel) -> bool:
    """Whether there is an optimized pass for exactly this class and cell."""
    return _fast(model) is not None


def fast_pass(
    model: CaptioningModel, params: dict[str, Array], grads: dict[str, Array]
) -> Pass | None:
    """The optimized pass for exactly this class and cell; None if there is none.

    Args:
        model: defines the shapes.
        params: the model's parameters.
        grads: arrays of the same names and shapes, for the gradients.
    """
    fast = _fast(model)
    return fast.new_pass(model, params, grads) if fast else None


def fast_decoder(model: WordModel) -> Decoder:
    """A decoder with the current parameters: an optimized one, or the model itself.

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
