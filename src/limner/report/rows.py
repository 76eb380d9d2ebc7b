"""A page of a dataset's rows: images, and what people wrote of them."""

from collections.abc import Sequence
from pathlib import Path

from limner.data.dataset import Dataset
from limner.errors import InputError
from limner.report.page import write_page

MOST = 500
"""Images on a page, at most."""


def write_rows(path: Path, dataset: Dataset, split: str, rows: Sequence[int]) -> None:
    """Write the page.

    Raises:
        InputError: if there are more rows than a page has.
        LimnerError: if it cannot be written.
    """
    if len(rows) > MOST:
        raise InputError(f"--number {len(rows)}: a page has {MOST} pictures at most")
    images = dataset.splits[split].image_ids
    marked = dataset.vocabulary.marked
    write_page(
        path,
        "rows.html",
        find=dataset.picture,
        title=dataset.path.resolve().name,
        split=split,
        count=len(images),
        cards=[(images[row], list(map(marked, dataset.texts(split, row)))) for row in rows],
    )
