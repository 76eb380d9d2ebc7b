"""A page of a dataset's rows: pictures, and what people wrote of them."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from limner.data.dataset import Dataset
from limner.data.preparing.scan import open_picture
from limner.errors import InputError
from limner.io import write_atomically
from limner.report.frame import Section, page
from limner.report.thumbnail import SIDE, thumbnail

MOST = 500
"""Pictures on a page, at most."""


def write_rows(path: Path, dataset: Dataset, split: str, rows: Sequence[int]) -> None:
    """Write the page.

    Raises:
        InputError: if there are more rows than a page has.
        LimnerError: if it cannot be written.
    """
    if len(rows) > MOST:
        raise InputError(f"--number {len(rows)}: a page has {MOST} pictures at most")
    cards = "".join(_card(dataset, split, row) for row in rows)
    note = "Words that a model knows only as &lt;UNK&gt; are <mark>marked</mark>."
    write_atomically(
        path,
        page(
            dataset.path.resolve().name,
            f"{len(rows):,} of the {len(dataset.splits[split].image_ids):,} pictures of the split "
            f"{split}, with what people wrote of them.",
            [Section("pictures", "Pictures", f'<p>{note}</p>\n<ul class="wall">\n{cards}</ul>')],
        ),
    )


def _card(dataset: Dataset, split: str, row: int) -> str:
    image = dataset.splits[split].image_ids[row]
    texts = dataset.texts(split, row)
    shown = thumbnail(lambda: open_picture(dataset.picture(image), size_hint=SIDE), texts[0])
    lines = "".join(f"<li>{_marked(dataset, text)}</li>" for text in texts)
    return (
        f'<li class="card">{shown}<p class="name">{escape(image)}</p>'
        f'<ul class="captions">{lines}</ul></li>\n'
    )


def _marked(dataset: Dataset, text: str) -> str:
    return "".join(
        f"<mark>{escape(piece)}</mark>" if unknown else escape(piece)
        for piece, unknown in dataset.vocabulary.marked(text)
    )
