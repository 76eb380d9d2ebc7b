"""Pictures with what the model says of them, what people say, and how well the two agree."""

from collections.abc import Sequence
from html import escape

import numpy as np

from limner.data.dataset import Dataset
from limner.data.preparing.scan import open_picture
from limner.evaluation.evaluate import Evaluation
from limner.report.thumbnail import SIDE, thumbnail
from limner.typing import Array, Float, Int

MOST = 200
"""Pictures on a page, at most."""

EXTREMES = 50
"""So many of the best, and of the worst, where not all can be shown."""


def choose(scores: Float[Array, " N"]) -> Int[Array, " M"]:
    """Which pictures to show, in an order by chance that is the same every time."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(scores))
    if len(order) <= MOST:
        return order
    ranked = order[np.argsort(-scores[order], kind="stable")]
    best, others, worst = np.split(ranked, [EXTREMES, -EXTREMES])
    some = rng.choice(others, MOST - 2 * EXTREMES, replace=False)
    return rng.permutation(np.concatenate([best, some, worst]))


def wall_note(shown: int, count: int) -> str:
    """What is shown, of how many."""
    if shown == count:
        return f"All {count:,} pictures of the split."
    return (
        f"{shown} of {count:,} pictures: the {EXTREMES} with the highest CIDEr, the {EXTREMES} "
        f"with the lowest, and {shown - 2 * EXTREMES} of the others by chance."
    )


def wall(shown: Sequence[int] | Int[Array, " M"], evaluation: Evaluation, dataset: Dataset) -> str:
    """A card a picture."""
    images = list(evaluation.captions)
    return "".join(_card(images[i], int(i), evaluation, dataset) for i in shown)


def _card(image: str, index: int, evaluation: Evaluation, dataset: Dataset) -> str:
    scores = {name: float(values[index]) for name, values in evaluation.table.per_image.items()}
    said = evaluation.captions[image] or "(no words)"
    references = "".join(f"<li>{escape(text)}</li>" for text in evaluation.references[image])
    table = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{value:.1f}</dd></div>" for name, value in scores.items()
    )
    shown = thumbnail(
        lambda: open_picture(dataset.picture(image), size_hint=SIDE), f"described as: {said}"
    )
    return (
        f'<li class="card" data-score="{scores["CIDEr"]:.3f}">'
        f"{shown}"
        f'<p class="caption">{escape(said)}</p>'
        f'<p class="score">CIDEr <b>{scores["CIDEr"]:.0f}</b></p>'
        f"<details><summary>What people say</summary><ul>{references}</ul>"
        f"<dl>{table}</dl></details></li>\n"
    )
