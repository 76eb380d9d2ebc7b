"""The stages of a training that the commands `train` and `demo` share."""

import shlex
from pathlib import Path

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.dataset import Dataset
from limner.errors import LimnerError
from limner.evaluation import Evaluation, evaluate
from limner.report import write_report
from limner.run import TrainConfig, TrainingRun, read_history
from limner.terminal import print_scores, progress_bar, say


def train_with_progress(
    dataset: Dataset, folder: Path, config: TrainConfig, resume: bool = False
) -> None:
    """Train into a run's folder, with a progress bar on stderr."""
    with progress_bar("training", "steps") as update:

        def show(run: TrainingRun) -> None:
            solver = run.solver
            update(solver.iteration, solver.num_iterations, f"loss {solver.loss_history[-1]:.3f}")

        run = TrainingRun(dataset, folder, config, resume, show, say)
        try:
            run.train()
        except KeyboardInterrupt:
            again = shlex.join(
                ["limner", "train", str(dataset.path), "--out", str(folder), "--resume"]
            )
            raise LimnerError(f"{folder}: stopped; go on with: {again}") from None


def report_run(dataset: Dataset, folder: Path, split: str | None = None) -> Evaluation:
    """Score a run's best model on a split, print the scores, and write the run's report."""
    checkpoint = load_checkpoint(checkpoint_path(folder))
    evaluation = evaluate(checkpoint.model, dataset, split)
    page = folder / "report.html"
    write_report(page, evaluation, dataset, checkpoint, read_history(folder))
    print_scores(evaluation.scores, f"{evaluation.split}, {len(evaluation.captions)} pictures")
    print(f"run: {folder}")
    print(f"report: {page}")
    return evaluation
