"""Limner trains recurrent networks to describe pictures, and describes pictures with them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limner.captioner import Caption, Captioner, load
    from limner.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from limner.data.dataset import Dataset
    from limner.data.opening import open_dataset
    from limner.decoding import Decoding, DecodingConfig
    from limner.errors import InputError, LimnerError
    from limner.evaluation.evaluate import Evaluation, evaluate
    from limner.models import AttentionRNN, CaptioningRNN
    from limner.training.captioning_solver import CaptioningSolver
    from limner.vocabulary import Vocabulary

__all__ = [
    "AttentionRNN",
    "Caption",
    "Captioner",
    "CaptioningRNN",
    "CaptioningSolver",
    "Checkpoint",
    "Dataset",
    "Decoding",
    "DecodingConfig",
    "Evaluation",
    "InputError",
    "LimnerError",
    "Vocabulary",
    "evaluate",
    "load",
    "load_checkpoint",
    "open_dataset",
    "save_checkpoint",
]

HOMES = {
    "AttentionRNN": "limner.models",
    "Caption": "limner.captioner",
    "Captioner": "limner.captioner",
    "CaptioningRNN": "limner.models",
    "CaptioningSolver": "limner.training.captioning_solver",
    "Checkpoint": "limner.checkpoint",
    "Dataset": "limner.data.dataset",
    "Decoding": "limner.decoding",
    "DecodingConfig": "limner.decoding",
    "Evaluation": "limner.evaluation.evaluate",
    "InputError": "limner.errors",
    "LimnerError": "limner.errors",
    "Vocabulary": "limner.vocabulary",
    "evaluate": "limner.evaluation.evaluate",
    "load": "limner.captioner",
    "load_checkpoint": "limner.checkpoint",
    "open_dataset": "limner.data.opening",
    "save_checkpoint": "limner.checkpoint",
}
"""The modules of the public names, imported when a name is first used: all of them take 0.5 s."""

if not TYPE_CHECKING:  # a type checker would take any name for one of limner's

    def __getattr__(name: str) -> Any:
        if name not in HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(import_module(HOMES[name]), name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
