"""An HTML page about a training: scores, pictures with captions, curves, settings.

One file that needs nothing else: pictures are inside it, and it opens without a network.
"""

import base64
import io
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from limner.assessment import Assessment
from limner.checkpoint import Checkpoint
from limner.data.dataset import Dataset
from limner.data.images import load_image
from limner.errors import InputError
from limner.evaluation import Evaluation
from limner.files import write_atomically

WALL_SIZE = 48
THUMBNAIL = (320, 320)  # pixels, at most

Point = tuple[float, float]


def write_report(
    path: Path,
    assessment: Assessment,
    dataset: Dataset,
    checkpoint: Checkpoint,
    history: Sequence[dict[str, Any]],
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
    model, training = checkpoint.model, checkpoint.info.get("training", {})
    count = len(evaluation.captions)
    shown = _choose(list(evaluation.captions))
    page = Template(files("limner").joinpath("bundled/report.html").read_text("utf-8"))
    settings = {
        "dataset": dataset.path,
        "pictures": dataset.info.get("source", {}).get("images", ""),
        "backbone": (checkpoint.info.get("backbone") or {}).get("name", ""),
        "parameters": f"{model.num_parameters:,}",
        "vocabulary": f"{len(model.word_to_idx):,} words",
        **training,
        "limner": checkpoint.info.get("limner_version", ""),
    }
    text = page.substitute(
        title=escape(f"limner: {path.parent.resolve().name}"),
        subtitle=escape(
            f"{model.cell_type.upper()} on {dataset.path.name}, "
            f"{count:,} pictures of the split {assessment.split}, which it was not trained on"
        ),
        scores="".join(
            f'<div class="score">{escape(name)}<b>{value:.1f}</b></div>'
            for name, value in evaluation.scores.items()
        ),
        scale="Scores from 0 to 100, against the raw references; greedy decoding.",
        wall_note=f"{len(shown)} of {count:,}, chosen at random.",
        wall="".join(_card(image, evaluation, dataset) for image in shown),
        charts=_charts(history),
        settings="".join(
            f"<tr><td>{escape(str(k))}</td><td>{escape(str(v))}</td></tr>"
            for k, v in settings.items()
        ),
    )
    write_atomically(path, text)


def _choose(images: list[str]) -> list[str]:
    """The same random pictures every time."""
    order = np.random.default_rng(0).permutation(len(images))[:WALL_SIZE]
    return [images[i] for i in order]


def _card(image: str, evaluation: Evaluation, dataset: Dataset) -> str:
    references = "".join(f"<li>{escape(text)}</li>" for text in evaluation.references[image])
    caption = escape(evaluation.captions[image])
    return (
        f"<figure>{_picture(dataset.image_path(image), caption)}<figcaption>{caption}"
        f"<details><summary>references</summary><ul>{references}</ul></details>"
        "</figcaption></figure>"
    )


def _picture(path: Path, alt: str) -> str:
    try:
        image = load_image(path, size_hint=max(THUMBNAIL))
    except InputError:
        return '<div class="gone">the picture is gone</div>'
    image.thumbnail(THUMBNAIL)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{alt}" loading="lazy">'


def _charts(history: Sequence[dict[str, Any]]) -> str:
    losses = [(line["epoch"], line["loss"]) for line in history if "loss" in line]
    epochs = [line for line in history if "validation" in line]
    scores = [(line["epoch"], line["validation"]["BLEU-4"]) for line in epochs]
    curves = [
        ("training loss a caption, by epoch", losses),
        ("validation BLEU-4, by epoch", scores),
    ]
    return "".join(
        f'<div class="chart"><div class="soft">{title}</div>{line_chart(points)}</div>'
        for title, points in curves
        if len(points) > 1
    )


def line_chart(points: Sequence[Point], width: int = 480, height: int = 220) -> str:
    """An SVG line through points (x, y), with the axes' ends written out.

    >>> line_chart([(0, 1.0), (1, 3.0)]).count("<text")
    4
    """
    left, right, top, bottom = 44, 8, 10, 22
    xs, ys = np.array(points, dtype=float).T
    x_span, y_span = float(np.ptp(xs)) or 1.0, float(np.ptp(ys)) or 1.0
    across = left + (xs - xs.min()) / x_span * (width - left - right)
    down = top + (ys.max() - ys) / y_span * (height - top - bottom)
    path = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    floor = height - bottom
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img">'
        f'<line x1="{left}" y1="{floor}" x2="{width - right}" y2="{floor}"/>'
        f'<line x1="{left}" y1="{top}" x2="{left}" y2="{floor}"/>'
        f'<text x="{left - 6}" y="{top + 8}" text-anchor="end">{ys.max():.4g}</text>'
        f'<text x="{left - 6}" y="{floor}" text-anchor="end">{ys.min():.4g}</text>'
        f'<text x="{left}" y="{height - 5}">{xs.min():.4g}</text>'
        f'<text x="{width - right}" y="{height - 5}" text-anchor="end">{xs.max():.4g}</text>'
        f'<path d="{path}"/></svg>'
    )
