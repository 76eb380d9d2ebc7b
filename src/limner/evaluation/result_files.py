"""Files of captions to be scored, and of references to score them against, as people have them.

    COCO's results         [{"image_id": 1, "caption": "..."}, ...]
    COCO's annotations     {"annotations": [{"image_id": 1, "caption": "..."}, ...], ...}
    by id                  {"1": "..."} or {"1": ["...", "..."]}
    limner's results       what `limner evaluate --json` wrote
    JSON lines             one object a line, as in COCO's results; `limner caption --json` too
    CSV, TSV, token file   what `limner prepare` reads, see `limner.data.formats`

Ids are text: 1 and "1" are the same picture.
"""

import json
import posixpath
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from limner.data.formats import parse_json, read_captions, read_text
from limner.errors import InputError

Captions = dict[str, list[str]]

IMAGE_COLUMNS = ("image", "image_id", "id")
"""What names a picture here, in order of preference: an id before the name of a file."""


def read_candidates(path: Path) -> dict[str, str]:
    """One caption of each picture, {id: caption}; a caption may be empty.

    Raises:
        InputError: if the file is missing, none of the formats, or has two captions of a picture.
    """
    captions = read_references(path)
    for image, several in captions.items():
        if len(several) > 1:
            raise InputError(
                f"{path}: {len(several)} captions of {image}, expected one; is it the references?"
            )
    return {image: one for image, [one] in captions.items()}


def read_references(path: Path) -> Captions:
    """All captions of each picture, {id: captions}.

    Raises:
        InputError: if the file is missing, or none of the formats.
    """
    text = read_text(path)
    captions: Captions = {}
    if text.lstrip()[0] in "[{":
        for image, caption in _from_json(path, text):
            captions.setdefault(image, []).append(caption)
    else:
        table = read_captions(path, blank=True, pictures=IMAGE_COLUMNS, captions=("caption",))
        if table.problems:
            raise InputError(table.problems[0])
        captions = table.captions
    if not captions:
        raise InputError(f"{path}: not a single caption in it")
    return captions


def _from_json(path: Path, text: str) -> Iterable[tuple[str, str]]:
    content = parse_json(path, text)
    if isinstance(content, dict):
        content = content.get("annotations", content.get("captions", content))
    if isinstance(content, dict) and not _id(content):
        return [pair for item in content.items() for pair in _pairs(path, *item)]
    rows = content if isinstance(content, list) else [content]
    return [pair for row in rows for pair in _row(path, row)]


def _row(path: Path, row: Any) -> Iterable[tuple[str, str]]:
    name = _id(row) if isinstance(row, dict) else None
    if name is None or not {"caption", "captions"} & row.keys():
        shown = json.dumps(row, ensure_ascii=False)[:60]
        raise InputError(
            f"{path}: expected objects with {', '.join(IMAGE_COLUMNS)} and caption, got {shown}"
        )
    return _pairs(path, row[name], row.get("caption", row.get("captions")))


def _id(row: dict[str, Any]) -> str | None:
    """Which of its keys names the picture."""
    return next((name for name in IMAGE_COLUMNS if name in row), None)


def _pairs(path: Path, image: Any, captions: Any) -> Iterable[tuple[str, str]]:
    several = [captions] if isinstance(captions, str) else captions
    if not isinstance(image, str | int) or isinstance(image, bool):
        raise InputError(f"{path}: expected a name or a number for a picture, got {image!r}")
    if not isinstance(several, list) or not all(isinstance(one, str) for one in several):
        shown = json.dumps(captions, ensure_ascii=False)[:60]
        raise InputError(f"{path}: expected captions of {image} as text, got {shown}")
    return [(posixpath.normpath(str(image)), one) for one in several]
