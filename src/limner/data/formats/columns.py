"""Names of columns of tables of captions, and of keys in JSON."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Columns:
    """Names that columns may have, in order of preference.

    Attributes:
        image: a file name is preferred to an id.
        caption: also with a number appended: `caption_1`.
        split: optional.
    """

    image: tuple[str, ...] = (
        *("image", "file_name", "filename", "image_name", "image_file", "image_filename"),
        *("image_path", "filepath", "file", "path", "img", "img_name", "img_path", "picture"),
        *("photo", "image_id", "img_id", "id", "name", "key"),
    )
    caption: tuple[str, ...] = (
        *("caption", "captions", "text", "sentence", "sentences", "comment", "description"),
        *("raw", "alt", "alt_text", "prompt", "title"),
    )
    split: tuple[str, ...] = ("split", "subset", "partition", "set")

    def keys_of(self, item: Any) -> tuple[str, str, str | None] | None:
        """The keys of image, caption and split of an object; None without image or caption."""
        if not isinstance(item, dict):
            return None
        image, caption = first_of(self.image, item), first_of(self.caption, item)
        return (image, caption, first_of(self.split, item)) if image and caption else None


COLUMNS = Columns()


@dataclass(frozen=True)
class Header:
    """Indices of the columns of image, captions and, if any, split."""

    width: int
    image: int
    captions: list[int]
    split: int | None


def find_columns(header: Sequence[str], columns: Columns = COLUMNS) -> Header | None:
    """Find the columns by their names; None without image or caption.

    >>> find_columns(["Image", "caption_1", "caption_2", "by"])
    Header(width=4, image=0, captions=[1, 2], split=None)
    """
    names = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in header]
    image, split = first_of(columns.image, names), first_of(columns.split, names)
    texts: list[int] = []
    for name in columns.caption:
        numbered = [i for i, n in enumerate(names) if re.fullmatch(rf"{name}_?\d+", n)]
        texts = texts or ([names.index(name)] if name in names else numbered)
    if image is None or not texts or names.index(image) in texts:
        return None
    return Header(len(names), names.index(image), texts, names.index(split) if split else None)


def first_of(wanted: Sequence[str], names: Collection[str]) -> str | None:
    """The first candidate that exists.

    >>> first_of(COLUMNS.image, ["id", "file_name"])
    'file_name'
    """
    for name in wanted:
        if name in names:
            return name
    return None
