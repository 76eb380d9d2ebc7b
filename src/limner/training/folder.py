"""A run's folder: which files are there, what is written into them, and whether a run can go on.

config.toml        the settings
history.jsonl      a line every 10 steps, and one an epoch
last.safetensors   the newest state, to go on from
best.safetensors   the model with the best validation score
teachers.safetensors  the teachers' soft targets, where there are any
epoch-N.safetensors   the last epochs' models, where their mean is wanted
report.html        what a person looks at
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from limner.checkpoint import (
    Checkpoint,
    CheckpointInfo,
    SolverState,
    TrainedOn,
    load_checkpoint,
    save_checkpoint,
)
from limner.data.dataset import Dataset
from limner.errors import InputError
from limner.io import write_atomically
from limner.models import CaptioningModel
from limner.training.config import TrainConfig
from limner.typing import Array


class RunFolder:
    """The files of a run on a dataset with these settings.

    Args:
        path: the folder.
        dataset: that is trained on.
        config: the settings.
    """

    def __init__(self, path: Path, dataset: Dataset, config: TrainConfig) -> None:
        self.path = path
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"
        self.teachers = path / "teachers.safetensors"
        self._dataset = dataset
        self._config = config

    def epoch(self, number: int) -> Path:
        """The model of one of the last epochs."""
        return self.path / f"epoch-{number}.safetensors"

    def check_new(self) -> None:
        """Raise InputError where a run cannot begin here."""
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: a file; `out` takes a folder")
        if (self.path / "dataset.json").exists():
            raise InputError(f"{self.path}: contains a dataset; choose another `out`")
        if (self.path / "config.toml").exists():
            raise InputError(
                f"{self.path}: contains a run already; continue it with `resume`, "
                "or choose another `out`"
            )

    def state(self, steps_per_epoch: int) -> Checkpoint | None:
        """The state to go on from; None where the run was stopped before there was any.

        Raises:
            InputError: if it is no such state, or one of other settings or another dataset.
        """
        if not self.last.exists():
            return None
        checkpoint = load_checkpoint(self.last)
        if checkpoint.info.solver is None or "solver/order" not in checkpoint.state:
            raise InputError(
                f"{self.last}: a finished model without the state of its training; "
                "it can caption, but its training cannot be resumed: start again with another `out`"
            )
        try:
            iteration = int(checkpoint.info.training["iteration"])  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise self.damaged(error) from None
        self._check_settings(checkpoint.info.training, iteration // steps_per_epoch)
        trained_on = checkpoint.info.dataset
        if trained_on.fingerprint != self._dataset.fingerprint:
            raise InputError(
                f"{self.last}: trained on {trained_on.path or 'an unknown dataset'}, not on the "
                f"dataset {self._dataset.path}; resume with the same dataset"
            )
        return checkpoint

    def damaged(self, error: Exception) -> InputError:
        """The error of a state that cannot be resumed from."""
        reason = f"no {error}" if isinstance(error, KeyError) else error
        return InputError(
            f"{self.last}: the training state is inconsistent ({reason}) and cannot be resumed; "
            "start again with another `out`"
        )

    def _check_settings(self, trained: Mapping[str, Any], epochs_done: int) -> None:
        """Refuse changed settings; only epochs may be added."""
        usual = TrainConfig().to_flat()
        grows = "critical_epochs" if self._config.critical_epochs else "epochs"
        for name, value in self._config.to_flat().items():
            if name in (grows, "checkpoint_seconds"):
                continue
            if trained.get(name, usual.get(name, value)) != value:
                raise InputError(
                    f"{self.last}: trained with {name} {trained.get(name)}, not {value}; "
                    f"a run's settings stay as they are, only {grows} may grow"
                )
        epochs = self._config.epochs + self._config.critical_epochs
        if epochs < epochs_done:
            raise InputError(f"{self.last}: has more epochs behind it than {epochs}")

    def write_config(self) -> None:
        """Write config.toml."""
        write_atomically(self.path / "config.toml", tomli_w.dumps(self._config.to_flat()))

    def save(
        self,
        file: Path,
        model: CaptioningModel,
        progress: Mapping[str, float],
        scores: dict[str, dict[str, float]],
        solver: SolverState | None = None,
        tensors: Mapping[str, Array] | None = None,
    ) -> None:
        """Write a checkpoint.

        Args:
            file: one of this folder's.
            model: to save.
            progress: `iteration` and `seconds`, which stand beside the settings.
            scores: {split: {score: value}}, if there are any.
            solver: what training needs to continue.
            tensors: the same, as arrays.
        """
        dataset = self._dataset
        info = CheckpointInfo(
            limner_version=version("limner"),
            backbone=dataset.info.backbone,
            dataset=TrainedOn(path=str(dataset.path.resolve()), fingerprint=dataset.fingerprint),
            training={**self._config.to_flat(), **progress},
            scores=scores,
            solver=solver,
        )
        save_checkpoint(file, model, info, tensors, projection=self._dataset.projection)


def mean_params(files: list[Path]) -> dict[str, Array] | None:
    """The mean of the parameters of several checkpoints; None of fewer than two that are there."""
    members = [load_checkpoint(file).model.params for file in files if file.exists()]
    if len(members) < 2:
        return None
    return {name: np.mean([m[name] for m in members], axis=0) for name in members[0]}
