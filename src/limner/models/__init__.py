"""Captioning models: what they share, and each kind of them."""

from collections.abc import Callable

from limner.models.attention import AttentionRNN
from limner.models.base import CaptioningModel, Dropout, Masks, WordModel
from limner.models.ensemble import Ensemble
from limner.models.rnn import GATES, CaptioningRNN

MODELS: dict[str, Callable[..., CaptioningModel]] = {
    model.kind: model for model in (CaptioningRNN, AttentionRNN)
}
"""Every kind of model by its `kind`."""

__all__ = [
    "GATES",
    "MODELS",
    "AttentionRNN",
    "CaptioningModel",
    "CaptioningRNN",
    "Dropout",
    "Ensemble",
    "Masks",
    "WordModel",
]
