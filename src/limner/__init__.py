"""Train captioning models and caption images with them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limner.api import (
        Run,
        attention_map,
        check,
        compare,
        evaluate,
        explain,
        prepare,
        score,
        train,
    )
    from limner.captioner import Caption, Captioner, load
    from limner.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from limner.data.dataset import Dataset
    from limner.data.opening import open_dataset
    from limner.decoding import Decoding, DecodingConfig
    from limner.errors import InputError, LimnerError
    from limner.evaluation.assessment import Assessment
    from limner.evaluation.comparison import Comparison
    from limner.evaluation.evaluate import Evaluation
    from limner.images.limits import ImageLimits
    from limner.models import AttentionRNN, CaptioningRNN
    from limner.training.captioning_solver import CaptioningSolver
    from limner.vocabulary import Vocabulary

__all__ = [
    "Assessment",
    "AttentionRNN",
    "Caption",
    "Captioner",
    "CaptioningRNN",
    "CaptioningSolver",
    "Checkpoint",
    "Comparison",
    "Dataset",
    "Decoding",
    "DecodingConfig",
    "Evaluation",
    "ImageLimits",
    "InputError",
    "LimnerError",
    "Run",
    "Vocabulary",
    "attention_map",
    "check",
    "compare",
    "evaluate",
    "explain",
    "load",
    "load_checkpoint",
    "open_dataset",
    "prepare",
    "save_checkpoint",
    "score",
    "train",
]

HOMES = {
    "Assessment": "limner.evaluation.assessment",
    "AttentionRNN": "limner.models",
    "Caption": "limner.captioner",
    "Captioner": "limner.captioner",
    "CaptioningRNN": "limner.models",
    "CaptioningSolver": "limner.training.captioning_solver",
    "Checkpoint": "limner.checkpoint",
    "Comparison": "limner.evaluation.comparison",
    "Dataset": "limner.data.dataset",
    "Decoding": "limner.decoding",
    "DecodingConfig": "limner.decoding",
    "Evaluation": "limner.evaluation.evaluate",
    "ImageLimits": "limner.images.limits",
    "InputError": "limner.errors",
    "LimnerError": "limner.errors",
    "Run": "limner.api",
    "Vocabulary": "limner.vocabulary",
    "attention_map": "limner.api",
    "check": "limner.api",
    "compare": "limner.api",
    "evaluate": "limner.api",
    "explain": "limner.api",
    "load": "limner.captioner",
    "load_checkpoint": "limner.checkpoint",
    "open_dataset": "limner.data.opening",
    "prepare": "limner.api",
    "save_checkpoint": "limner.checkpoint",
    "score": "limner.api",
    "train": "limner.api",
}
"""The modules of the public names, imported when a name is first used: all of them take 0.5 s."""

if not TYPE_CHECKING:  # a type checker would take any name for one of limner's

    def __getattr__(name: str) -> Any:
        if name not in HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(import_module(HOMES[name]), name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
