"""Shared by commands: training with a progress bar, scoring with a report, opening models."""

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.cli.console import log, print_rows, progress_bar
from limner.data.dataset import Dataset
from limner.errors import LimnerError
from limner.evaluation.assessment import assess
from limner.report.run import write_report
from limner.training.config import TrainConfig
from limner.training.history import read_history
from limner.training.run import StoppedError, TrainingRun


def train_with_progress(
    dataset: Dataset, folder: Path, config: TrainConfig, resume: bool = False
) -> None:
    """Train a run, with a progress bar on stderr."""
    with progress_bar("training", "steps") as update:

        def show(run: TrainingRun) -> None:
            solver = run.solver
            last = solver.loss_history[-1]
            now = f"reward {-last:.3f}" if run.is_critical else f"loss {last:.3f}"
            update(solver.iteration, solver.num_iterations, now)

        run = TrainingRun(dataset, folder, config, resume, show, log)
        try:
            with _stopping(run):
                run.train()
        except StoppedError:
            again = shlex.join(
                ["limner", "train", str(dataset.path), "--out", str(folder), "--resume"]
            )
            raise LimnerError(
                f"{folder}: stopped and saved at step {run.solver.iteration}; resume with: {again}"
            ) from None


@contextmanager
def _stopping(run: TrainingRun) -> Iterator[None]:
    """The first SIGINT or SIGTERM saves and stops; a second one gets the default handler."""
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(*_: object) -> None:
        restore()
        log("stopping after this step")
        run.stop()

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    for number in usual:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


def report_run(dataset: Dataset, folder: Path, split: str | None = None) -> None:
    """Score a run's best model on a split, print the scores, and write the run's report."""
    checkpoint = load_checkpoint(checkpoint_path(folder))
    assessment = assess(checkpoint.model, dataset, split)
    page = folder / "report.html"
    write_report(page, assessment, dataset, checkpoint, read_history(folder))
    print_rows(assessment.title, assessment.rows, assessment.provenance)
    print(f"run: {folder}")
    print(f"report: {page}")
