"""HTML page of rows of a dataset: images and their captions."""

from collections.abc import Sequence
from pathlib import Path

from limner.data.dataset import Dataset
from limner.errors import InputError
from limner.report.page import write_page

MOST = 500
"""Maximum number of images per page."""


def write_rows(path: Path, dataset: Dataset, split: str, rows: Sequence[int]) -> None:
    """Write the page.

    Raises:
        InputError: if there are too many rows.
        LimnerError: if it cannot be written.
    """
    if len(rows) > MOST:
        raise InputError(f"`number` {len(rows)}: expected at most {MOST} images for a page")
    images = dataset.splits[split].image_ids
    marked = dataset.vocabulary.marked
    write_page(
        path,
        "rows.html",
        find=dataset.image_file,
        title=dataset.path.resolve().name,
        split=split,
        count=len(images),
        cards=[(images[row], list(map(marked, dataset.texts(split, row)))) for row in rows],
    )
