"""The scores of the model and of what it is compared with, as charts, a table and in words."""

from collections.abc import Mapping
from html import escape

from limner.evaluation.assessment import HUMAN, MODEL, NEAREST, SHUFFLED, Row
from limner.report.charts import Span, interval_chart

Rows = Mapping[str, Row]

STYLES = {MODEL: "model", HUMAN: "people"}

DIVERSITY = ("distinct captions, %", "words used", "mean length", "seen in training, %")


def interval_charts(rows: Rows) -> str:
    """One chart for CIDEr, one for BLEU-4."""
    return "".join(
        interval_chart(
            score,
            [
                Span(name, STYLES.get(name, "other"), row.scores[score], row.intervals[score])
                for name, row in rows.items()
            ],
        )
        for score in ("CIDEr", "BLEU-4")
    )


def score_table(rows: Rows) -> str:
    """All scores with their intervals, and what the captions are like, a line a row."""
    columns = [*rows[MODEL].scores, *DIVERSITY]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(_line(name, row) for name, row in rows.items())
    return f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody>"


def _line(name: str, row: Row) -> str:
    cells = [
        f"{value:.1f}<small>{row.intervals[score][0]:.1f}–{row.intervals[score][1]:.1f}</small>"
        for score, value in row.scores.items()
    ]
    made = row.diversity
    seen = "–" if made.seen is None else f"{made.seen:.1f}"
    cells += [f"{made.distinct:.1f}", f"{made.vocabulary:,}", f"{made.mean_length:.1f}", seen]
    style = STYLES.get(name, "other")
    return (
        f'<tr class="{style}"><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def baselines(rows: Rows) -> str:
    """What each of the other rows is, and what this model's distance from it means."""
    texts = {SHUFFLED: _shuffled, NEAREST: _nearest, HUMAN: _human}
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text(rows))}</dd></div>"
        for name, text in texts.items()
        if name in rows
    )


def _shuffled(rows: Rows) -> str:
    model, shuffled = rows[MODEL], rows[SHUFFLED]
    before, after = model.scores["CIDEr"], shuffled.scores["CIDEr"]
    if shuffled.intervals["CIDEr"][1] < model.intervals["CIDEr"][0]:
        found = f"Here CIDEr falls from {before:.1f} to {after:.1f}: captions fit their pictures."
    else:
        found = (
            f"Here CIDEr is {before:.1f} before and {after:.1f} after, which chance can explain: "
            "the captions hardly depend on their pictures."
        )
    return (
        "The model's captions, each given to another picture. What is left of a score is what the "
        f"most usual phrases are worth. {found}"
    )


def _nearest(rows: Rows) -> str:
    low = rows[MODEL].intervals["CIDEr"][0]
    ahead = low > rows[NEAREST].intervals["CIDEr"][1]
    found = "clearly better" if ahead else "not clearly better"
    return (
        "Of all captions of the training pictures with the most similar features, the one that "
        f"the others agree with most, word for word. By CIDEr the model is {found} than looking up."
    )


def _human(rows: Rows) -> str:
    return (
        "One reference of each picture, drawn at random, scored against the others. That is one "
        "reference fewer than the model is scored against, which lowers a score a little."
    )
