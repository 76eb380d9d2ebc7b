"""The teachers of a run, and their soft targets, which are stored with the run.

Shapes: M captions, T tokens, K tokens of a soft target.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from limner.backbones.info import same_features, title_of
from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.dataset import Dataset
from limner.engine.numpy import fast_decoder
from limner.errors import InputError
from limner.evaluation.evaluate import check_features
from limner.io import write_atomically
from limner.layers import SoftTargets
from limner.models import CaptioningModel, Ensemble
from limner.training.distillation import KEPT, soft_targets_of


class Teachers:
    """The teachers of a run.

    Args:
        names: runs or checkpoints.
        dataset: the training dataset.
        file: file for the soft targets, in the folder of the run.
        resumed: whether the file may exist already.

    Raises:
        InputError: if a teacher is missing or has another vocabulary or other features, or the file
            is damaged.
    """

    def __init__(
        self, names: Sequence[str], dataset: Dataset, file: Path, resumed: bool = False
    ) -> None:
        self._dataset = dataset
        self._file = file
        self._facts = {"dataset": dataset.fingerprint, "teachers": json.dumps(list(names))}
        self._kept = self._read() if resumed and file.exists() else None
        self._members: list[CaptioningModel] = []
        if self._kept is None:
            self._members = [self._open(checkpoint_path(Path(name))) for name in names]

    def soft_targets(
        self, weight: float, report: Callable[[str], None], on_block: Callable[[], None]
    ) -> SoftTargets:
        """Soft targets (M, T - 1, K) of the training captions, computed once.

        Args:
            weight: of the soft targets, from 0 to 1; the caption's tokens have the rest.
            report: called with each message.
            on_block: called regularly; may raise to stop.

        Returns:
            The soft targets.
        """
        if self._kept is None:
            teacher = Ensemble(self._members)
            report(f"computing the soft targets of {teacher.title}")
            self._kept = soft_targets_of(
                fast_decoder(teacher),
                len(teacher.word_to_idx),
                self._dataset.splits["train"],
                teacher.null,
                on_block,
            )
            tensors = {"words": self._kept.tokens, "shares": self._kept.probs}
            write_atomically(self._file, save(tensors, self._facts))
        return SoftTargets(self._kept.tokens, self._kept.probs * np.float32(weight))

    def _read(self) -> SoftTargets | None:
        """The stored soft targets; None if they are of other teachers or captions."""
        (M, T), V = self._dataset.splits["train"].captions.shape, len(self._dataset.vocabulary)
        try:
            with safe_open(self._file, framework="numpy") as file:
                if file.metadata() != self._facts:
                    return None
                kept = SoftTargets(file.get_tensor("words"), file.get_tensor("shares"))
            if not kept.tokens.shape == kept.probs.shape == (M, T - 1, min(KEPT, V)):
                raise ValueError(f"soft targets of shape {kept.tokens.shape}")
            totals = kept.probs.sum(axis=2)
            if (kept.tokens.dtype.kind, kept.probs.dtype.kind) != ("i", "f"):
                raise ValueError(f"{kept.tokens.dtype} tokens, {kept.probs.dtype} probabilities")
            if not 0 <= kept.tokens.min() <= kept.tokens.max() < V:
                raise ValueError("tokens that the vocabulary does not have")
            if kept.probs.min() < 0 or not ((totals == 0) | (np.abs(totals - 1) < 1e-3)).all():
                raise ValueError("probabilities whose sum is not 1")
        except (SafetensorError, ValueError, OSError) as error:
            raise InputError(
                f"{self._file}: damaged ({error}); delete it, and `resume` computes it again"
            ) from None
        return kept

    def _open(self, path: Path) -> CaptioningModel:
        checkpoint, dataset = load_checkpoint(path), self._dataset
        model, theirs = checkpoint.model, checkpoint.backbone
        try:
            check_features(dataset, model)
        except InputError as error:
            raise InputError(f"{path}: a teacher of other features: {error}") from None
        other = None
        if model.word_to_idx != dataset.vocabulary.word_to_idx:
            other = "another vocabulary"
        elif not same_features(dataset.info.backbone, theirs):
            other = f"other features, of {title_of(theirs)},"
        if other:
            raise InputError(
                f"{path}: a teacher with {other} than {dataset.path}; name models trained on "
                "this dataset"
            )
        return model
