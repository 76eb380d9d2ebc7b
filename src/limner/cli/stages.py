"""Shared by commands: training with a progress bar, scoring with a report, opening models."""

import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from limner.backbones.info import same_features, title_of
from limner.captioner import checkpoint_path
from limner.checkpoint import Checkpoint, load_checkpoint
from limner.cli.console import log, print_rows, progress_bar
from limner.data.dataset import Dataset
from limner.data.opening import open_dataset
from limner.errors import InputError, LimnerError
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


def open_for(models: Sequence[Path], data: Path | None) -> tuple[list[Checkpoint], Dataset]:
    """Load models, and open the dataset given or the one they were trained on.

    Raises:
        InputError: if no dataset is known, the models were trained on different ones, or the
            features are of another backbone.
    """
    paths = [checkpoint_path(model) for model in models]
    checkpoints = [load_checkpoint(path) for path in paths]
    known = [checkpoint.info.dataset for checkpoint in checkpoints]
    for path, trained_on in zip(paths, known, strict=True):
        if data is None and not trained_on.path:
            raise InputError(f"{path}: its training dataset is unknown; give it with --data")
        if data is None and trained_on.fingerprint != known[0].fingerprint:
            raise InputError(
                f"{paths[0]} was trained on {known[0].path}, {path} on {trained_on.path}: "
                "scores on different images cannot be compared; give one dataset with --data"
            )
    dataset = open_dataset(data or Path(known[0].path))
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        ours, theirs = checkpoint.backbone, dataset.info.backbone
        if ours and not same_features(ours, theirs):
            raise InputError(
                f"{dataset.path}: features of {title_of(theirs)}, but {path} was trained on "
                f"those of {ours.title}; prepare the dataset with the model's backbone"
            )
    return checkpoints, dataset
