"""A training run: trains a model and writes the files of its folder (folder.py)."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from limner.checkpoint import Checkpoint, SolverState
from limner.data.dataset import Dataset
from limner.engine import EngineFactory, NumpyEngine
from limner.errors import LimnerError
from limner.models import CaptioningModel
from limner.training.config import TrainConfig, new_model
from limner.training.divergence import divergence
from limner.training.folder import RunFolder, mean_params
from limner.training.history import History, HistoryLine
from limner.training.phases import check_references, phases_of
from limner.training.solver import Solver, steps_per_epoch
from limner.training.teachers import Teachers
from limner.training.validation import SCORE, Validation


class StoppedError(Exception):
    """The training was stopped on request, and its state is saved."""


class TrainingRun:
    """A training run, which can be resumed after an interruption at any moment.

    Args:
        dataset: with a split `train` and one to validate on.
        folder: folder of the run, created if missing.
        config: the settings.
        resume: continue from `last.safetensors`; the results are bit for bit those of an
            uninterrupted training.
        on_step: called with the run after every step, for example for a progress bar.
        report: called with each message.
        engine: creates the engines.

    Attributes:
        model, solver: available once `train` is called.
    """

    model: CaptioningModel
    solver: Solver

    def __init__(
        self,
        dataset: Dataset,
        folder: Path,
        config: TrainConfig,
        resume: bool = False,
        on_step: Callable[["TrainingRun"], None] | None = None,
        report: Callable[[str], None] = print,
        engine: EngineFactory = NumpyEngine,
    ) -> None:
        self.dataset = dataset.reading(config.reads_grid)
        self.config = config
        self._folder = RunFolder(folder, self.dataset, config)
        self._resume = resume
        self._on_step = on_step
        self._report = report
        self._engine = engine
        self._validation = Validation(self.dataset, report)
        self._history = History(folder)
        self._stop = False
        self._seconds_before = 0.0

    def train(self) -> None:
        """Train until the end, `patience` epochs without improvement, or `stop`.

        Raises:
            InputError: if the folder holds a run already and `resume` is False, or cannot be
                resumed, or the settings do not fit the dataset.
            LimnerError: if the training diverges.
            StoppedError: after `stop`, when the state is saved.
        """
        self._started = self._saved = time.monotonic()
        self._begin()
        self.solver.finished = self._has_converged()
        with np.errstate(over="ignore", invalid="ignore"):  # _after_step detects divergence
            self.solver.train()
        if self.config.average:
            self._try_average()

    def stop(self) -> None:
        """Save and stop after the current step; safe to call from a signal handler."""
        self._stop = True

    @property
    def seconds(self) -> float:
        """Training time, including that of interrupted sessions."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def is_critical(self) -> bool:
        """Whether the last step was self-critical."""
        return self.solver.phase.objective.measure == "reward"

    def _begin(self) -> None:
        """Create the model and the solver, or restore them."""
        config, folder, train = self.config, self._folder, self.dataset.splits["train"]
        state = None
        if self._resume:
            state = folder.state(steps_per_epoch(len(train.captions), config.batch_size))
        else:
            folder.check_new()
        teachers = Teachers(config.teachers, self.dataset, folder.teachers, self._resume)
        rng = np.random.default_rng(config.seed)
        self.model = new_model(config, self.dataset, rng)
        check_references(config, self.dataset)
        self.dataset.split()  # raises if there is no validation split
        if state is None:
            self._history.clear()
            folder.write_config()
        soft_targets = None
        if config.teachers:
            weight = config.distillation * (1 - config.label_smoothing)
            soft_targets = teachers.soft_targets(weight, self._report, self._stop_if_asked)
        self.solver = Solver(
            self.model,
            train,
            phases_of(config, self.dataset, soft_targets),
            lr_decay=config.lr_decay if config.schedule == "epochs" else 1.0,
            batch_size=config.batch_size,
            verbose=False,
            shuffle=True,
            rng=rng,
            schedule=config.learning_rate_schedule,
            engine=self._engine,
            on_step=self._after_step,
            on_epoch=self._after_epoch,
        )
        if state is not None:
            self._restore(state)
            folder.write_config()

    def _restore(self, state: Checkpoint) -> None:
        before = state.info.solver
        assert before is not None  # otherwise there is no state
        self.model.params.update(state.model.params)
        self._validation.best, self._validation.best_epoch = before.best, before.best_epoch
        self._seconds_before = before.seconds
        try:
            self.solver.restore(state.state, before.rng)
            if not all(map(math.isfinite, before.best.values())):
                raise ValueError("scores that are not numbers")
            if self.solver.iteration != state.info.training["iteration"]:
                raise ValueError(f"{self.solver.iteration} losses")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._folder.damaged(error) from None
        self._history.cut(self.solver.iteration)

    def _stop_if_asked(self) -> None:
        if self._stop:
            raise StoppedError

    def _after_step(self, solver: Solver) -> None:
        at_epoch = solver.iteration % solver.steps_per_epoch == 0
        due = time.monotonic() - self._saved >= self.config.checkpoint_seconds or self._stop
        # parameters are checked before they are saved
        if problem := divergence(solver, self.model.params, at_epoch or due):
            raise self._diverged(problem)
        if solver.iteration % 10 == 0:
            loss = solver.loss_history[-1]
            self._log(**({"reward": -loss} if self.is_critical else {"loss": loss}))
        if due and not at_epoch:
            self._save_last()
            self._stop_if_asked()
        if self._on_step:
            self._on_step(self)

    def _diverged(self, problem: str) -> LimnerError:
        last = self._folder.last
        kept = f"the last good state is kept in {last.name}" if last.exists() else "none was kept"
        lower = "`critical_learning_rate`" if self.is_critical else "`learning_rate`"
        return LimnerError(
            f"{self._folder.path}: {problem} at step {self.solver.iteration}; {kept}: "
            f"train again with a lower {lower} and another `out`"
        )

    def _after_epoch(self, solver: Solver) -> None:
        loss = float(np.mean(solver.loss_history[-solver.steps_per_epoch :]))
        mean = {"mean_reward": -loss} if self.is_critical else {"mean_loss": loss}
        what = f"reward {-loss:.3f}" if self.is_critical else f"loss {loss:.3f}"
        line = f"epoch {solver.epoch} of {solver.num_epochs}: {what}"
        if (
            not self._validation.is_possible
        ):  # without references, as in the course's data, the last model is the best
            self._log(**mean)
            self._save(self._folder.best)
            self._save_last()
            self._report(f"{line}, no raw references to score against, {self.seconds:.0f} s")
            self._stop_if_asked()
            return
        evaluation = self._validation.evaluate(self.model, solver.engine.decoder())
        scores = evaluation.scores
        self._log(**mean, validation=scores)
        better = self._keep_if_best(scores)
        if self.config.average:
            self._save(self._folder.epoch(solver.epoch), scores)
            self._folder.epoch(solver.epoch - self.config.average).unlink(missing_ok=True)
        self._save_last()
        self._report(f"{line}, {self._told(scores, better)}, {self.seconds:.0f} s")
        self._validation.report_collapse(evaluation.captions)
        self._stop_if_asked()
        if self._has_converged():
            self._report(
                f"no better for {self.config.patience} epochs: stopped early; "
                f"the best was epoch {self._validation.best_epoch}"
            )
            solver.finished = True

    def _told(self, scores: Mapping[str, float], better: bool) -> str:
        best = " (best so far)" if better else ""
        return f"{self._validation.split} {SCORE} {scores[SCORE]:.1f}{best}"

    def _keep_if_best(self, scores: dict[str, float]) -> bool:
        better = self._validation.is_best(scores, self.solver.epoch)
        if better:
            self._save(self._folder.best, scores)
        return better

    def _has_converged(self) -> bool:
        first = self.config.epochs if self.config.critical_epochs else 0
        since = max(self._validation.best_epoch, first)
        patience = self.config.patience
        return bool(patience) and self.solver.epoch - since >= patience

    def _try_average(self) -> None:
        """Score the mean parameters of the last epochs; keep them if they are the best."""
        number = self.config.average
        mean = mean_params([self._folder.epoch(self.solver.epoch - i) for i in range(number)])
        if mean is None:
            return
        params = self.model.params
        before = {name: param.copy() for name, param in params.items()}
        for name, param in params.items():
            param[:] = mean[name]
        decoder = self.solver.engine.decoder()
        scores = self._validation.evaluate(self.model, decoder).scores
        better = self._keep_if_best(scores)
        self._report(f"mean of the last {number} epochs: {self._told(scores, better)}")
        for name, param in params.items():
            param[:] = before[name]
        if better:  # for a resumed run, which compares with the best score
            self._save_last()

    def _log(self, **facts: Any) -> None:
        solver = self.solver
        epoch = round(solver.iteration / solver.steps_per_epoch, 4)
        seconds = round(self.seconds, 2)
        line = HistoryLine(iteration=solver.iteration, epoch=epoch, seconds=seconds, **facts)
        self._history.append(line)

    def _save_last(self) -> None:
        tensors, rng = self.solver.state()
        best, best_epoch = self._validation.best, self._validation.best_epoch
        solver = SolverState(rng=rng, best=best, best_epoch=best_epoch, seconds=self.seconds)
        self._save(self._folder.last, solver=solver, tensors=tensors)
        self._saved = time.monotonic()

    def _save(self, file: Path, scores: dict[str, float] | None = None, **state: Any) -> None:
        progress = {"iteration": self.solver.iteration, "seconds": round(self.seconds, 1)}
        by_split = {self._validation.split: scores} if scores else {}
        self._folder.save(file, self.model, progress, by_split, **state)
