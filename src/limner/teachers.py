"""The teachers of a run: who they are, and what they answer, which is kept with the run.

Shapes: M captions, T words, K words of an answer.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.dataset import Dataset
from limner.data.features import backbone_title, same_backbone
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
        InputError: if one of them is missing, or knows other words or other features.
    """

    def __init__(
        self, names: Sequence[str], dataset: Dataset, answers: Path, asked: bool = False
    ) -> None:
        self._dataset = dataset
        self._answers = answers
        self._members: list[CaptioningModel] = []
        if not (asked and answers.exists()):
            self._members = [self._open(checkpoint_path(Path(name))) for name in names]

    def shared(self, share: float, report: Callable[[str], None]) -> Shared:
        """What they expect at every word of the training captions, (M, T - 1, K); asked once.

        Args:
            share: of what is expected, that is theirs and not the captions' own words'.
            report: takes a line for the user.

        Raises:
            InputError: if the file of answers is damaged.
        """
        if self._members:
            teacher = Ensemble(self._members)
            report(f"asking {teacher.title} what they would say")
            taught = teach(teacher, self._dataset.splits["train"])
            write_atomically(self._answers, save(taught._asdict()))
        try:
            taught = Shared(**load(self._answers.read_bytes()))
        except (SafetensorError, TypeError) as error:
            raise InputError(
                f"{self._answers}: damaged ({error}); delete it, and --resume asks the teachers "
                "again"
            ) from None
        return Shared(taught.words, taught.shares * np.float32(share))

    def _open(self, path: Path) -> CaptioningModel:
        checkpoint, dataset = load_checkpoint(path), self._dataset
        model, theirs = checkpoint.model, checkpoint.info.get("backbone")
        try:
            check_features(dataset, model)
        except InputError as error:
            raise InputError(f"{path}: a teacher of other features: {error}") from None
        other = None
        if model.word_to_idx != dataset.vocabulary.word_to_idx:
            other = "another vocabulary"
        elif not same_backbone(dataset.info.get("backbone"), theirs):
            other = f"other features, of {backbone_title(theirs or {})},"
        if other:
            raise InputError(
                f"{path}: a teacher with {other} than {dataset.path}; name models trained on "
                "this dataset"
            )
        return model
