"""The teachers of a run: who they are, and what they answer, which is kept with the run.

Shapes: M captions, T words, K words of an answer.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.backbones.info import same_features, title_of
from limner.data.dataset import Dataset
from limner.distillation import teach
from limner.errors import InputError
from limner.evaluation import check_features
from limner.files import write_atomically
from limner.layers import Shared
from limner.models import CaptioningModel, Ensemble


class Teachers:
    """Models that a run learns from, beside what people said.

    Args:
        names: runs' folders, or checkpoints.
        dataset: that the run learns.
        answers: a file for what they say, in the run's folder.
        asked: whether the answers may be there already, from before the run was stopped.

    Raises:
        InputError: if one of them is missing, or knows other words or other features; or if the
            file of answers is damaged.
    """

    def __init__(
        self, names: Sequence[str], dataset: Dataset, answers: Path, asked: bool = False
    ) -> None:
        self._dataset = dataset
        self._answers = answers
        self._asked_for = {"dataset": dataset.fingerprint, "teachers": json.dumps(list(names))}
        self._kept = self._read() if asked and answers.exists() else None
        self._members: list[CaptioningModel] = []
        if self._kept is None:
            self._members = [self._open(checkpoint_path(Path(name))) for name in names]

    def shared(
        self, share: float, report: Callable[[str], None], on_block: Callable[[], None]
    ) -> Shared:
        """What they expect at every word of the training captions, (M, T - 1, K); asked once.

        Args:
            share: of what is expected, that is theirs and not the captions' own words'.
            report: takes a line for the user.
            on_block: called now and then while they are asked; may raise to stop it.
        """
        if self._kept is None:
            teacher = Ensemble(self._members)
            report(f"asking {teacher.title} what they would say")
            self._kept = teach(teacher, self._dataset.splits["train"], on_block)
            write_atomically(self._answers, save(self._kept._asdict(), self._asked_for))
        return Shared(self._kept.words, self._kept.shares * np.float32(share))

    def _read(self) -> Shared | None:
        """The answers that are kept; None if they are others' or about other captions."""
        try:
            with safe_open(self._answers, framework="numpy") as file:
                asked_for = file.metadata()
                kept = Shared(file.get_tensor("words"), file.get_tensor("shares"))
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"{self._answers}: damaged ({error}); delete it, and --resume asks the teachers "
                "again"
            ) from None
        return kept if asked_for == self._asked_for else None

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
