"""Captioning models: their interface, and one module per kind."""

from limner.models.attention import AttentionConfig, AttentionRNN
from limner.models.base import CaptioningModel, Masks, ModelConfig, WordModel
from limner.models.batch import Batch
from limner.models.ensemble import Ensemble, EnsembleDecoder
from limner.models.rnn import CaptioningRNN, RNNConfig

MODELS: list[type[CaptioningModel]] = [CaptioningRNN, AttentionRNN]
"""All kinds of models; an entry here makes a kind available to training and checkpoints."""


def model_class(kind: str) -> type[CaptioningModel]:
    """The class of a kind of model.

    Args:
        kind: its name, as in settings and checkpoints.

    Raises:
        ValueError: for an unknown kind.
    """
    for model in MODELS:
        if model.kind == kind:
            return model
    raise ValueError(f"`model` {kind}: expected one of {', '.join(m.kind for m in MODELS)}")


__all__ = [
    "MODELS",
    "AttentionConfig",
    "AttentionRNN",
    "Batch",
    "CaptioningModel",
    "CaptioningRNN",
    "Ensemble",
    "EnsembleDecoder",
    "Masks",
    "ModelConfig",
    "RNNConfig",
    "WordModel",
    "model_class",
]
