"""The page as a whole: what stands in each of its sections, put into its frame."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from limner.checkpoint import Checkpoint
from limner.data.dataset import Dataset
from limner.evaluation.assessment import MODEL, Assessment
from limner.io import write_atomically
from limner.report.charts import Line, line_chart
from limner.report.frame import bundled, facts
from limner.report.scores import baselines, interval_charts, score_table
from limner.report.wall import choose, wall, wall_note
from limner.report.words import length_chart, unsaid, word_chart
from limner.training.history import HistoryLine


def write_report(
    path: Path,
    assessment: Assessment,
    dataset: Dataset,
    checkpoint: Checkpoint,
    history: Sequence[HistoryLine],
) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        assessment: captions, scores and baselines of one split.
        dataset: where the pictures are; those that are gone are shown as gone.
        checkpoint: of the model that wrote the captions.
        history: lines of history.jsonl.
    """
    evaluation = assessment.evaluation
    shown = choose(evaluation.table.per_image["CIDEr"])
    text = Template(bundled("report.html")).substitute(
        style=bundled("report.css"),
        script=bundled("report.js"),
        title=escape(path.parent.resolve().name),
        subtitle=escape(_subtitle(assessment, dataset, checkpoint)),
        interval_charts=interval_charts(assessment.rows),
        score_table=score_table(assessment.rows),
        baselines=baselines(assessment.rows),
        wall_note=wall_note(len(shown), len(evaluation.captions)),
        wall=wall(shown, evaluation, dataset),
        word_charts=length_chart(evaluation) + word_chart(evaluation),
        unsaid=unsaid(evaluation),
        curves=_curves(history) or "<p>No history of this run was kept.</p>",
        settings=facts(_settings(dataset, checkpoint)),
        provenance=facts(assessment.provenance),
    )
    write_atomically(path, text)


def _subtitle(assessment: Assessment, dataset: Dataset, checkpoint: Checkpoint) -> str:
    count = len(assessment.evaluation.captions)
    known = "was trained" if assessment.split == "train" else "was not trained"
    return (
        f"{checkpoint.model.title} on {dataset.path.name}. It described {count:,} "
        f"pictures of the split {assessment.split}, on which it {known}, "
        f"with {assessment.rows[MODEL].diversity.vocabulary:,} different words."
    )


def _settings(dataset: Dataset, checkpoint: Checkpoint) -> dict[str, Any]:
    model, training = checkpoint.model, dict(checkpoint.info.training)
    if "seconds" in training:
        training["seconds"] = f"{training['seconds']:,.0f}"
    return {
        "dataset": dataset.path.name,
        "backbone": checkpoint.backbone.name if checkpoint.backbone else "unknown",
        "parameters": f"{model.num_parameters:,}",
        "vocabulary": f"{len(model.word_to_idx):,} {checkpoint.vocabulary.unit}",
        **{name.replace("_", " "): value for name, value in training.items()},
        "trained with limner": checkpoint.info.limner_version,
    }


def _curves(history: Sequence[HistoryLine]) -> str:
    steps = [(line.epoch, line.loss) for line in history]
    means = [(line.epoch, line.mean_loss) for line in history if line.validation]
    scores = [
        Line(name, style, _finite([(e.epoch, (e.validation or {}).get(name)) for e in history]))
        for name, style in (("CIDEr", "model"), ("BLEU-4", "other"))
    ]
    losses = [
        Line("10 steps", "faint", _finite(steps)),
        Line("mean of the epoch", "model", _finite(means)),
    ]
    return line_chart("Training loss", losses, "epoch", "loss a caption, nats") + line_chart(
        "Scores while it learnt", scores, "epoch", "score on the validation pictures"
    )


def _finite(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if y is not None and math.isfinite(y)]
