"""HTML report of a run: scores and baselines, captioned images, words, curves, settings."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limner.checkpoint import Checkpoint
from limner.data.dataset import Dataset
from limner.evaluation.assessment import HUMAN, MODEL, NEAREST, SHUFFLED, Assessment, Row
from limner.evaluation.evaluate import Evaluation, Tokens
from limner.report.charts import (
    Chart,
    Series,
    interval_chart,
    length_chart,
    line_chart,
    paired_bars,
)
from limner.report.page import write_page
from limner.training.history import HistoryLine
from limner.typing import Array, Float, Int

MOST = 200
"""Maximum number of images per page."""

EXTREMES = 50
"""Number of best, and of worst, images shown if there are more than `MOST`."""

MOST_WORDS = 20
"""Number of words in the chart."""

UNUSED_WORDS = 24
"""Maximum number of listed reference words that the model never uses."""

SCORES = ("CIDEr", "BLEU-4")
"""Scores with a chart."""

STYLES = {MODEL: "model", HUMAN: "people"}


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
        dataset: source of the images; missing ones are marked as such.
        checkpoint: the evaluated model.
        history: lines of history.jsonl.
    """
    write_page(
        path,
        "run.html",
        find=dataset.image_file,
        title=path.parent.resolve().name,
        split=assessment.split,
        evaluation=assessment.evaluation,
        dataset=dataset,
        checkpoint=checkpoint,
        shown=choose(assessment.evaluation.table.per_image["CIDEr"]).tolist(),
        images=list(assessment.evaluation.captions),
        extremes=EXTREMES,
        curves=_curves(history),
        settings=_settings(dataset, checkpoint),
        provenance=assessment.provenance,
        **_scores(assessment.rows),
        **word_use(assessment.evaluation),
    )


def _scores(rows: Mapping[str, Row]) -> dict[str, Any]:
    """The scores of each row, and the rows whose CIDEr is significantly below the model's."""
    lowest = rows[MODEL].intervals["CIDEr"][0]
    charts = [
        [
            Series(name, STYLES.get(name, "other"), (row.scores[score], *row.intervals[score]))
            for name, row in rows.items()
        ]
        for score in SCORES
    ]
    return {
        "rows": rows,
        "styles": STYLES,
        "names": {"model": MODEL, "shuffled": SHUFFLED, "nearest": NEAREST, "human": HUMAN},
        "below": [name for name, row in rows.items() if row.intervals["CIDEr"][1] < lowest],
        "score_charts": list(map(interval_chart, SCORES, charts)),
    }


def choose(scores: Float[Array, " N"]) -> Int[Array, " M"]:
    """Indices of the images to show, in a reproducible random order."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(scores))
    if len(order) <= MOST:
        return order
    ranked = order[np.argsort(-scores[order], kind="stable")]
    best, others, worst = np.split(ranked, [EXTREMES, -EXTREMES])
    some = rng.choice(others, MOST - 2 * EXTREMES, replace=False)
    return rng.permutation(np.concatenate([best, some, worst]))


def word_use(evaluation: Evaluation) -> dict[str, Any]:
    """Lengths of captions and references, and the shares of captions that contain each word."""
    candidates = evaluation.candidate_tokens
    references = [tokens for several in evaluation.reference_tokens for tokens in several]
    ours, theirs = _shares(candidates), _shares(references)
    unused = {word: share for word, share in theirs.items() if word not in ours}
    lengths = [
        Series("the model", "model", [len(tokens) for tokens in candidates]),
        Series("people", "people", [len(tokens) for tokens in references]),
    ]
    charts = [length_chart(lengths)]
    if words := _highest(ours)[:MOST_WORDS]:
        series = [
            Series("the model", "model", [ours[word] for word in words]),
            Series("people", "people", [theirs.get(word, 0.0) for word in words]),
        ]
        heading, label = "Most frequent words of the model", "% of the captions"
        charts.append(paired_bars(heading, words, series, label))
    return {
        "words": ours,
        "reference_words": theirs,
        "unused": _highest(unused)[:UNUSED_WORDS],
        "word_charts": charts,
    }


def _shares(captions: Sequence[Tokens]) -> dict[str, float]:
    """Percentage of captions that contain each word."""
    counts = Counter(word for tokens in captions for word in set(tokens))
    return {word: 100 * count / len(captions) for word, count in counts.items()}


def _highest(shares: Mapping[str, float]) -> list[str]:
    """Words by descending share."""
    return sorted(shares, key=lambda word: (-shares[word], word))


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


def _curves(history: Sequence[HistoryLine]) -> list[Chart]:
    """Charts of loss and validation scores; those of fewer than two points are omitted."""
    epochs = [line for line in history if line.validation]
    losses = [
        Series("10 steps", "faint", _points((line.epoch, line.loss) for line in history)),
        Series("mean of the epoch", "model", _points((e.epoch, e.mean_loss) for e in epochs)),
    ]
    scores = [
        Series(name, style, _points((e.epoch, (e.validation or {}).get(name)) for e in epochs))
        for name, style in (("CIDEr", "model"), ("BLEU-4", "other"))
    ]
    charts = [
        line_chart("Training loss", losses, "epoch", "loss per caption, nats"),
        line_chart("Validation scores", scores, "epoch", "score on the validation images"),
    ]
    return [chart for chart in charts if chart]


def _points(pairs: Iterable[tuple[float, float | None]]) -> list[tuple[float, float]]:
    """Points with a finite value."""
    return [(x, y) for x, y in pairs if y is not None and math.isfinite(y)]
