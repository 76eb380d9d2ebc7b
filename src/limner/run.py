"""A training run: a folder with its configuration, history, checkpoints and report.

config.toml        the settings
history.jsonl      a line every 10 steps, and one an epoch
last.safetensors   the newest state, to go on from
best.safetensors   the model with the best validation score
report.html        what a person looks at
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import msgspec
import numpy as np
import tomli_w

from limner.arrays import Array
from limner.checkpoint import load_checkpoint, save_checkpoint
from limner.data.dataset import Dataset
from limner.errors import InputError, LimnerError
from limner.evaluation import evaluate
from limner.files import cannot_write, write_atomically
from limner.models import CaptioningRNN
from limner.solver import CaptioningSolver

SCORE = "BLEU-4"
"""The validation score that is reported, and by which the best model is chosen first of all."""

Positive = Annotated[int, msgspec.Meta(ge=1)]


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a training, as config.toml holds them.

    Attributes:
        cell_type: of the recurrent network.
        wordvec_dim, hidden_dim: W and H of `CaptioningRNN`.
        update_rule: of `limner.optim`.
        learning_rate: of the first epoch; times `lr_decay` after each.
        batch_size: captions a step.
        epochs: passes over the training captions.
        seed: of the parameters and the order of the captions.
        checkpoint_seconds: how often `last.safetensors` is written within an epoch.
    """

    cell_type: Literal["rnn", "gru", "lstm"] = "lstm"
    wordvec_dim: Positive = 256
    hidden_dim: Positive = 512
    update_rule: Literal["sgd", "sgd_momentum", "rmsprop", "adam"] = "adam"
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 1e-3
    lr_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.85
    batch_size: Positive = 128
    epochs: Positive = 10
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    checkpoint_seconds: Annotated[float, msgspec.Meta(ge=0)] = 60.0


def read_config(path: Path) -> TrainConfig:
    """Read a TOML file of settings; what it does not name has its default."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=TrainConfig)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a TOML file") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise InputError(f"{path}: {error}; `limner train --help` lists the settings") from None


class TrainingRun:
    """Trains a model on a dataset into a folder; killed at any moment, it can go on.

    Args:
        dataset: with a split `train` and one to validate on.
        folder: the run's; made if missing.
        config: the settings; None with `resume` takes the run's own.
        resume: go on from `last.safetensors`; the result is the same, bit for bit, as if the
            training had never stopped.
        on_step: called with the run after every step, e.g. for a progress bar.
        report: takes a line for the user.

    Raises:
        InputError: if the folder holds a run already and `resume` is False, or cannot be resumed.
    """

    def __init__(
        self,
        dataset: Dataset,
        folder: Path,
        config: TrainConfig,
        resume: bool = False,
        on_step: Callable[["TrainingRun"], None] | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        self.dataset = dataset
        self.folder = folder
        self.config = config
        self._on_step = on_step
        self._report = report
        self.validation, _ = dataset.split()
        self.best: dict[str, float] = {}
        self._seconds_before = 0.0
        self._history = folder / "history.jsonl"

        rng = np.random.default_rng(config.seed)
        self.model = CaptioningRNN(
            dataset.vocabulary.word_to_idx,
            dataset.input_dim,
            config.wordvec_dim,
            config.hidden_dim,
            config.cell_type,
            rng=rng,
        )
        self.solver = CaptioningSolver(
            self.model,
            dataset.splits["train"],
            config.update_rule,
            {"learning_rate": config.learning_rate},
            lr_decay=config.lr_decay,
            batch_size=config.batch_size,
            num_epochs=config.epochs,
            verbose=False,
            shuffle=True,
            rng=rng,
            on_step=self._after_step,
            on_epoch=self._after_epoch,
        )
        if resume:
            self._restore()
        else:
            self._begin()
        settings = tomli_w.dumps(msgspec.to_builtins(config))
        write_atomically(folder / "config.toml", settings)

    def train(self) -> None:
        """Run to the end, or raise LimnerError where the loss is no longer a number."""
        self._started = self._saved = time.monotonic()
        with np.errstate(over="ignore", invalid="ignore"):  # _after_step sees what comes of it
            self.solver.train()

    @property
    def seconds(self) -> float:
        """Time spent training, in this and earlier sessions."""
        return self._seconds_before + time.monotonic() - self._started

    def _begin(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder}: a file; --out takes a folder")
        if (self.folder / "config.toml").exists():
            raise InputError(
                f"{self.folder}: holds a run already; go on with it by --resume, "
                "or choose another --out"
            )
        write_atomically(self._history, "")

    def _restore(self) -> None:
        last = self.folder / "last.safetensors"
        if not last.exists():  # stopped before the first checkpoint: begin again
            write_atomically(self._history, "")
            return
        checkpoint = load_checkpoint(last)
        solver = checkpoint.info.get("solver")
        if solver is None or "solver/order" not in checkpoint.state:
            raise InputError(
                f"{last}: a finished model without the state of its training; "
                "it can caption, but not be trained on: begin again with another --out"
            )
        self._check_settings(last, checkpoint.info["training"])
        if checkpoint.info["dataset"]["fingerprint"] != self.dataset.fingerprint:
            raise InputError(
                f"{last}: trained on {checkpoint.info['dataset']['path']}, not on the dataset "
                f"{self.dataset.path}; resume with the same dataset"
            )
        self.model.params.update(checkpoint.model.params)
        self.solver.restore(checkpoint.state, solver["rng"])
        self.best = solver["best"]
        self._seconds_before = solver["seconds"]
        lines = _history_lines(self.folder)
        known = [f"{line}\n" for line in lines if _iteration(line) <= self.solver.iteration]
        write_atomically(self._history, "".join(known))

    def _check_settings(self, last: Path, trained: Mapping[str, Any]) -> None:
        """A training goes on with the settings it began with; only epochs may be added."""
        for name, value in msgspec.to_builtins(self.config).items():
            if name not in ("epochs", "checkpoint_seconds") and trained.get(name) != value:
                raise InputError(
                    f"{last}: trained with {name} {trained.get(name)}, not {value}; "
                    "a run's settings stay as they are"
                )
        if self.config.epochs < trained["iteration"] // self.solver.steps_per_epoch:
            raise InputError(f"{last}: has more epochs behind it than {self.config.epochs}")

    def _after_step(self, solver: CaptioningSolver) -> None:
        loss = solver.loss_history[-1]
        at_epoch = solver.iteration % solver.steps_per_epoch == 0
        due = time.monotonic() - self._saved >= self.config.checkpoint_seconds
        if not math.isfinite(loss):
            self._give_up(f"the loss became {loss}")
        if (at_epoch or due) and not _all_finite(self.model.params):  # before they are kept
            self._give_up("the parameters are no longer numbers")
        if solver.iteration % 10 == 0:
            self._log(loss=loss)
        if due and not at_epoch:
            self._save_last()
        if self._on_step:
            self._on_step(self)

    def _give_up(self, reason: str) -> NoReturn:
        last = self.folder / "last.safetensors"
        kept = f"the last good state is kept in {last.name}" if last.exists() else "none was kept"
        raise LimnerError(
            f"{self.folder}: {reason} at step {self.solver.iteration}; {kept}: "
            "train again with a lower --learning-rate, into another --out"
        )

    def _after_epoch(self, solver: CaptioningSolver) -> None:
        evaluation = evaluate(self.model, self.dataset)
        loss = float(np.mean(solver.loss_history[-solver.steps_per_epoch :]))
        self._log(mean_loss=loss, validation=evaluation.scores)
        better = _rank(evaluation.scores) >= _rank(self.best)
        if better:
            self.best = evaluation.scores
            self._save(self.folder / "best.safetensors", self.best)
        self._save_last()
        self._report(
            f"epoch {solver.epoch} of {self.config.epochs}: loss {loss:.3f}, "
            f"{self.validation} {SCORE} {evaluation.scores[SCORE]:.1f}"
            f"{' (best so far)' if better else ''}, {self.seconds:.0f} s"
        )

    def _log(self, **facts: Any) -> None:
        """Append a line to history.jsonl."""
        line = {
            "iteration": self.solver.iteration,
            "epoch": round(self.solver.iteration / self.solver.steps_per_epoch, 4),
            "seconds": round(self.seconds, 2),
            **facts,
        }
        try:
            with self._history.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise cannot_write(self._history, error) from None

    def _save_last(self) -> None:
        tensors, rng = self.solver.state()
        facts = {"rng": rng, "best": self.best, "seconds": self.seconds}
        self._save(self.folder / "last.safetensors", None, {"solver": facts}, tensors)
        self._saved = time.monotonic()

    def _save(
        self,
        path: Path,
        scores: dict[str, float] | None,
        more: dict[str, Any] | None = None,
        tensors: dict[str, np.ndarray] | None = None,
    ) -> None:
        info = {
            "limner_version": version("limner"),
            "backbone": self.dataset.info.get("backbone"),
            "dataset": {
                "path": str(self.dataset.path.resolve()),
                "fingerprint": self.dataset.fingerprint,
            },
            "training": {
                **msgspec.to_builtins(self.config),
                "iteration": self.solver.iteration,
                "seconds": round(self.seconds, 1),
            },
            "scores": {self.validation: scores} if scores else {},
            **(more or {}),
        }
        save_checkpoint(path, self.model, info, tensors)


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's history.jsonl; a last line that was cut short is left out."""
    return [json.loads(line) for line in _history_lines(folder) if _iteration(line) != math.inf]


def _history_lines(folder: Path) -> list[str]:
    file = folder / "history.jsonl"
    return file.read_text("utf-8", errors="replace").splitlines() if file.exists() else []


def _rank(scores: Mapping[str, float]) -> list[float]:
    """What to compare models by: BLEU-4, then the shorter ones, for where it is 0 throughout."""
    return [scores.get(f"BLEU-{n}", -1.0) for n in (4, 3, 2, 1)]


def _all_finite(arrays: Mapping[str, Array]) -> bool:
    return all(bool(np.isfinite(array).all()) for array in arrays.values())


def _iteration(line: str) -> float:
    try:
        return float(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return math.inf
