"""Limner trains recurrent networks to describe pictures, and describes pictures with them."""

from limner.captioner import Caption, Captioner, load
from limner.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from limner.data.dataset import Dataset
from limner.data.opening import open_dataset
from limner.decoding import Decoding, DecodingConfig
from limner.errors import InputError, LimnerError
from limner.evaluation import Evaluation, evaluate
from limner.models import AttentionRNN, CaptioningRNN
from limner.solver import CaptioningSolver
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
