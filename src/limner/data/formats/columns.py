"""What the columns of a table of captions are called, in order of preference."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

PICTURE_COLUMNS = (
    *("image", "file_name", "filename", "image_name", "image_file", "image_filename"),
    *("image_path", "filepath", "file", "path", "img", "img_name", "img_path", "picture", "photo"),
    *("image_id", "img_id", "id", "name", "key"),
)
"""A file's name comes before a number: `file_name` is taken where there is an `id` too."""

CAPTION_COLUMNS = (
    *("caption", "captions", "text", "sentence", "sentences", "comment", "description"),
    *("raw", "alt", "alt_text", "prompt", "title"),
)

SPLIT_COLUMNS = ("split", "subset", "partition", "set")

DELIMITERS = ("\t", ",", ";", "|")


@dataclass(frozen=True)
class Header:
    """Where in a row the picture, its captions and perhaps its split stand."""

    width: int
    picture: int
    captions: list[int]
    split: int | None


def find_columns(
    header: Sequence[str],
    pictures: Sequence[str] = PICTURE_COLUMNS,
    captions: Sequence[str] = CAPTION_COLUMNS,
) -> Header | None:
    """Which columns are meant, or None if there is no picture or no caption among them.

    >>> find_columns(["Image", "caption_1", "caption_2", "by"])
    Header(width=4, picture=0, captions=[1, 2], split=None)
    """
    names = [_plain(name) for name in header]
    picture = first_of(pictures, names)
    texts: list[int] = []
    for name in captions:
        texts = [i for i, n in enumerate(names) if re.fullmatch(rf"{name}_?\d+", n)]
        texts = [names.index(name)] if name in names else texts
        if texts:
            break
    if picture is None or not texts or names.index(picture) in texts:
        return None
    split = first_of(SPLIT_COLUMNS, names)
    return Header(
        len(names), names.index(picture), texts, None if split is None else names.index(split)
    )


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def first_of(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    """The first that is there.

    >>> first_of(PICTURE_COLUMNS, ["id", "file_name"])
    'file_name'
    """
    return next((name for name in wanted if name in names), None)
