"""The folder of a run: its files, and whether it can be resumed.

config.toml        the settings
history.jsonl      one line per 10 steps, and one per epoch
last.safetensors   the latest state, to resume from
best.safetensors   the model with the best validation score
teachers.safetensors  soft targets, if there are teachers
epoch-N.safetensors   models of the last epochs, for `average`
report.html        the report
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
    """The files of a run.

    Args:
        path: the folder.
        dataset: the training dataset.
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
        """The checkpoint of an epoch, for `average`."""
        return self.path / f"epoch-{number}.safetensors"

    def check_new(self) -> None:
        """Raise InputError if a new run cannot be started here."""
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
        """The checkpoint to resume from; None if the run was stopped before the first one.

        Raises:
            InputError: if it cannot be resumed from, or has other settings or another dataset.
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
                    f"the settings of a run cannot change; only {grows} may be increased"
                )
        epochs = self._config.epochs + self._config.critical_epochs
        if epochs < epochs_done:
            raise InputError(
                f"{self.last}: trained for {epochs_done} epochs already, more than {epochs}"
            )

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
            file: a file of this folder.
            model: the model.
            progress: `iteration` and `seconds`, stored with the settings.
            scores: {split: {score: value}}, if there are any.
            solver: state of the solver, to resume from.
            tensors: arrays of this state.
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
    """The mean parameters of several checkpoints; None if fewer than two exist."""
    members = [load_checkpoint(file).model.params for file in files if file.exists()]
    if len(members) < 2:
        return None
    return {name: np.mean([m[name] for m in members], axis=0) for name in members[0]}
