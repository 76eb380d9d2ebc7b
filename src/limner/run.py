"""A training run: a folder with its configuration, history, checkpoints and report.

config.toml        the settings
history.jsonl      a line every 10 steps, and one an epoch
last.safetensors   the newest state, to go on from
best.safetensors   the model with the best validation score
teachers.safetensors  what teachers expect at every word, where there are any
epoch-N.safetensors   the last epochs' models, where their mean is wanted
report.html        what a person looks at
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import numpy as np
import tomli_w

from limner.arrays import Array
from limner.checkpoint import load_checkpoint, save_checkpoint
from limner.data.dataset import Dataset
from limner.errors import InputError, LimnerError
from limner.evaluation import evaluate, training_tokens
from limner.files import cannot_write, write_atomically
from limner.self_critical import Critic, SelfCritical
from limner.settings import TrainConfig, new_model, regularisation, schedule_of
from limner.solver import CaptioningSolver
from limner.teachers import Teachers

SCORE = "CIDEr"
"""The validation score that is reported, and by which the best model is chosen first of all."""

HANDFUL = 0.02
"""One caption, or as few as this share of the validation pictures, is called a collapse."""

EXPLODED = 5.0
"""A loss that is so many times the first step's is not coming back."""


class StoppedError(Exception):
    """A training was asked to stop; its state is saved."""


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
        dataset = dataset.reading(config.reads_grid)
        self.dataset = dataset
        self.folder = folder
        self.config = config
        self._on_step = on_step
        self._report = report
        self.validation, _ = dataset.split()
        self.best: dict[str, float] = {}
        self._best_epoch = 0
        self._stop = False
        self._seconds_before = 0.0
        self._history = folder / "history.jsonl"
        self._teachers = Teachers(config.teachers, dataset, folder / "teachers.safetensors", resume)

        rng = np.random.default_rng(config.seed)
        self.model = new_model(config, dataset, rng)
        settings: dict[str, Any] = {"learning_rate": config.learning_rate}
        if config.update_rule == "adamw":
            settings["weight_decay"] = config.weight_decay
        self.solver = CaptioningSolver(
            self.model,
            dataset.splits["train"],
            config.update_rule,
            settings,
            lr_decay=config.lr_decay,
            batch_size=config.batch_size,
            num_epochs=config.epochs,
            verbose=False,
            shuffle=True,
            rng=rng,
            regularisation=regularisation(config),
            schedule=schedule_of(config),
            scheduled_sampling=config.scheduled_sampling,
            critic=self._critic(rng),
            on_step=self._after_step,
            on_epoch=self._after_epoch,
        )
        if resume:
            self._restore()
        else:
            self._begin()
        written = tomli_w.dumps(msgspec.to_builtins(config))
        write_atomically(folder / "config.toml", written)

    def _critic(self, rng: np.random.Generator) -> Critic | None:
        config = self.config
        if not config.critical_epochs:
            return None
        references = training_tokens(self.dataset)
        if not references:
            raise InputError(
                f"{self.dataset.path}: no raw references, and critical_epochs needs them; "
                "leave it out, or prepare a dataset from pictures and captions"
            )
        how = SelfCritical(
            config.critical_epochs,
            config.critical_learning_rate,
            config.critical_samples,
            config.critical_likelihood,
            bleu=config.critical_bleu,
        )
        return Critic(how, references, self.model, rng)

    def train(self) -> None:
        """Run to the end, until validation has not become better for `patience` epochs, or a stop.

        Raises:
            LimnerError: where the loss is no longer a number.
            StoppedError: after `stop`, when the state is saved.
        """
        self._started = self._saved = time.monotonic()
        self.solver.finished = self._has_converged()
        if self.config.teachers:
            share = self.config.distillation * (1 - self.config.label_smoothing)
            self.solver.shared = self._teachers.shared(share, self._report, self._stop_if_asked)
        with np.errstate(over="ignore", invalid="ignore"):  # _after_step sees what comes of it
            self.solver.train()
        if self.config.average:
            self._try_average()

    def _stop_if_asked(self) -> None:
        if self._stop:
            raise StoppedError

    def stop(self) -> None:
        """Save and stop after the step that is under way; safe to call from a signal handler."""
        self._stop = True

    @property
    def seconds(self) -> float:
        """Time spent training, in this and earlier sessions."""
        return self._seconds_before + time.monotonic() - self._started

    def _begin(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder}: a file; --out takes a folder")
        if (self.folder / "dataset.json").exists():
            raise InputError(f"{self.folder}: holds a dataset; choose another --out")
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
        try:
            self._check_settings(last, checkpoint.info["training"])
            if checkpoint.info["dataset"]["fingerprint"] != self.dataset.fingerprint:
                raise InputError(
                    f"{last}: trained on {checkpoint.info['dataset']['path']}, not on the dataset "
                    f"{self.dataset.path}; resume with the same dataset"
                )
            self.model.params.update(checkpoint.model.params)
            self.solver.restore(checkpoint.state, solver["rng"])
            self.best = solver["best"]
            self._best_epoch = solver.get("best_epoch", 0)
            self._seconds_before = solver["seconds"]
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise InputError(
                f"{last}: the state of the training does not hold together ({reason}); it cannot "
                "be gone on with: begin again with another --out"
            ) from None
        lines = _history_lines(self.folder)
        known = [f"{line}\n" for line in lines if _iteration(line) <= self.solver.iteration]
        write_atomically(self._history, "".join(known))

    def _check_settings(self, last: Path, trained: Mapping[str, Any]) -> None:
        """A training goes on with the settings it began with; only epochs may be added."""
        usual = TrainConfig()
        for name, value in msgspec.to_builtins(self.config).items():
            if name in (self._last_epochs, "checkpoint_seconds"):
                continue
            if trained.get(name, getattr(usual, name)) != value:
                raise InputError(
                    f"{last}: trained with {name} {trained.get(name)}, not {value}; "
                    f"a run's settings stay as they are, only {self._last_epochs} may grow"
                )
        if self.epochs < trained["iteration"] // self.solver.steps_per_epoch:
            raise InputError(f"{last}: has more epochs behind it than {self.epochs}")

    @property
    def _last_epochs(self) -> str:
        """The setting that says how long the training is, and may grow."""
        return "critical_epochs" if self.config.critical_epochs else "epochs"

    def _after_step(self, solver: CaptioningSolver) -> None:
        loss = solver.loss_history[-1]
        at_epoch = solver.iteration % solver.steps_per_epoch == 0
        due = time.monotonic() - self._saved >= self.config.checkpoint_seconds
        if not math.isfinite(loss):
            self._give_up(f"the loss became {loss}{_first_bad(self.model.params)}")
        if not self.is_critical and loss > EXPLODED * solver.loss_history[0]:
            largest = max(self.model.params, key=lambda name: np.abs(self.model.params[name]).max())
            self._give_up(
                f"the loss became {loss:.4g}, after {solver.loss_history[0]:.4g} at first, and the "
                f"parameter {largest} the largest,"
            )
        due = due or self._stop
        if at_epoch or due:  # before they are kept
            for name, param in self.model.params.items():
                if not np.isfinite(param).all():
                    self._give_up(f"the parameter {name} is no longer a number")
        if solver.iteration % 10 == 0:
            self._log(**({"reward": -loss} if self.is_critical else {"loss": loss}))
        if due and not at_epoch:
            self._save_last()
            if self._stop:
                raise StoppedError
        if self._on_step:
            self._on_step(self)

    def _give_up(self, reason: str) -> NoReturn:
        last = self.folder / "last.safetensors"
        kept = f"the last good state is kept in {last.name}" if last.exists() else "none was kept"
        lower = "critical_learning_rate" if self.is_critical else "--learning-rate"
        raise LimnerError(
            f"{self.folder}: {reason} at step {self.solver.iteration}; {kept}: "
            f"train again with a lower {lower}, into another --out"
        )

    def _after_epoch(self, solver: CaptioningSolver) -> None:
        if self.validation not in self.dataset.references:
            self._after_unscored_epoch(solver)
            return
        evaluation = evaluate(self.model, self.dataset)
        loss = float(np.mean(solver.loss_history[-solver.steps_per_epoch :]))
        mean = {"mean_reward": -loss} if self.is_critical else {"mean_loss": loss}
        self._log(**mean, validation=evaluation.scores)
        better = self._keep_if_best(evaluation.scores)
        if self.config.average:
            kept = self._epoch_file(solver.epoch)
            self._save(kept, evaluation.scores)
            self._epoch_file(solver.epoch - self.config.average).unlink(missing_ok=True)
        self._save_last()
        what = f"reward {-loss:.3f}" if self.is_critical else f"loss {loss:.3f}"
        self._report(
            f"epoch {solver.epoch} of {self.epochs}: {what}, "
            f"{self.validation} {SCORE} {evaluation.scores[SCORE]:.1f}"
            f"{' (best so far)' if better else ''}, {self.seconds:.0f} s"
        )
        different, pictures = len(set(evaluation.captions.values())), len(evaluation.captions)
        if pictures > 2 and different <= max(HANDFUL * pictures, 1):
            self._report(
                f"only {different} different captions for {pictures} pictures: the model does not "
                "look at them yet; if it stays so, lower the learning rate or the dropout"
            )
        if self._stop:
            raise StoppedError
        if self._has_converged():
            self._report(
                f"no better for {self.config.patience} epochs: stopped early; "
                f"the best was epoch {self._best_epoch}"
            )
            solver.finished = True

    def _after_unscored_epoch(self, solver: CaptioningSolver) -> None:
        """Of a dataset without raw references, the course's: the last model is the best."""
        loss = float(np.mean(solver.loss_history[-solver.steps_per_epoch :]))
        self._log(mean_loss=loss)
        self._save(self.folder / "best.safetensors", None)
        self._save_last()
        self._report(
            f"epoch {solver.epoch} of {self.epochs}: loss {loss:.3f}, no raw references to score "
            f"against, {self.seconds:.0f} s"
        )
        if self._stop:
            raise StoppedError

    def _keep_if_best(self, scores: dict[str, float]) -> bool:
        better = _rank(scores) > _rank(self.best)
        if better:
            self.best, self._best_epoch = scores, self.solver.epoch
            self._save(self.folder / "best.safetensors", self.best)
        return better

    def _epoch_file(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch}.safetensors"

    def _try_average(self) -> None:
        """Score the mean of the last epochs' parameters; it is the best model if it is better."""
        files = [self._epoch_file(self.solver.epoch - i) for i in range(self.config.average)]
        members = [load_checkpoint(file).model.params for file in files if file.exists()]
        if len(members) < 2:
            return
        params = self.model.params
        before = {name: param.copy() for name, param in params.items()}
        for name, param in params.items():
            param[:] = np.mean([member[name] for member in members], axis=0)
        scores = evaluate(self.model, self.dataset).scores
        better = self._keep_if_best(scores)
        self._report(
            f"mean of the last {len(members)} epochs: {self.validation} {SCORE} "
            f"{scores[SCORE]:.1f}{' (best so far)' if better else ''}"
        )
        for name, param in params.items():
            param[:] = before[name]
        if better:  # or a run that goes on from here would take a worse one for better
            self._save_last()

    @property
    def is_critical(self) -> bool:
        """Whether the last step was self-critical."""
        return self.solver.iteration > self.config.epochs * self.solver.steps_per_epoch

    @property
    def epochs(self) -> int:
        """Of the whole training."""
        return self.config.epochs + self.config.critical_epochs

    def _has_converged(self) -> bool:
        patience = self.config.patience
        since = max(self._best_epoch, self.config.epochs if self.config.critical_epochs else 0)
        return bool(patience) and self.solver.epoch - since >= patience

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
        facts = {
            "rng": rng,
            "best": self.best,
            "best_epoch": self._best_epoch,
            "seconds": self.seconds,
        }
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
            "backbone": msgspec.to_builtins(self.dataset.info.backbone),
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
        save_checkpoint(path, self.model, info, tensors, projection=self.dataset.projection)


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's history.jsonl; a last line that was cut short is left out."""
    return [json.loads(line) for line in _history_lines(folder) if _iteration(line) != math.inf]


def _history_lines(folder: Path) -> list[str]:
    file = folder / "history.jsonl"
    return file.read_text("utf-8", errors="replace").splitlines() if file.exists() else []


def _rank(scores: Mapping[str, float]) -> list[float]:
    """What to compare models by: CIDEr, then BLEU, for where it is 0 throughout."""
    return [scores.get(name, -1.0) for name in (SCORE, "BLEU-4", "BLEU-3", "BLEU-2", "BLEU-1")]


def _first_bad(params: Mapping[str, Array]) -> str:
    bad = [name for name, param in params.items() if not np.isfinite(param).all()]
    return f" and the parameter {bad[0]} is no longer a number" if bad else ""


def _iteration(line: str) -> float:
    try:
        return float(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return math.inf
