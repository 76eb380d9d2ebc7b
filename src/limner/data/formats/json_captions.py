"""Captions in JSON: a list of objects, an object a line, or {name: captions}."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from limner.data.formats.columns import (
    CAPTION_COLUMNS,
    PICTURE_COLUMNS,
    SPLIT_COLUMNS,
    first_of,
)
from limner.errors import InputError

Row = tuple[str, list[str], str]
"""A picture's name, its captions, its split or nothing."""

_AROUND = ("annotations", "captions", "images", "data", "rows", "items")
"""What a list of rows may be called that stands in an object."""


def parse_json(path: Path, text: str) -> Any:
    """JSON, or JSON lines as a list; if not even the first line is one, the whole file's error.

    Raises:
        InputError: if it is neither, or nested too deep.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(f"{path}: lists within lists a thousand deep; expected captions") from None
    except ValueError as error:
        return _json_lines(path, text, error)


def _json_lines(path: Path, text: str, error: ValueError) -> list[Any]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError) as wrong:
                what = f", line {number}: not JSON ({wrong})" if rows else f": not JSON ({error})"
                raise InputError(f"{path}{what}; is it cut short?") from None
    return rows


def json_rows(content: Any) -> Iterator[Row | str]:
    """The rows in what JSON holds, and in the place of each that is none what is wrong with it.

    >>> list(json_rows({"a.jpg": ["A dog", {"raw": "Dog"}], "b.jpg": 3}))
    [('a.jpg', ['A dog', 'Dog'], ''), 'captions of b.jpg as text expected, got 3']
    >>> list(json_rows([{"file_name": "a.jpg", "text": "A dog", "split": "test"}, {"id": 1}]))
    [('a.jpg', ['A dog'], 'test'), 'a picture and its caption expected, got {"id": 1}']
    """
    if isinstance(content, dict) and not _is_row(content):
        around = next((key for key in _AROUND if isinstance(content.get(key), (list, dict))), None)
        content = content if around is None else content[around]
    if isinstance(content, dict) and not _is_row(content):
        yield from (_row(name, captions) for name, captions in content.items())
        return
    for item in content if isinstance(content, list) else [content]:
        if isinstance(item, dict) and _is_row(item):
            split = item.get(first_of(SPLIT_COLUMNS, list(item)) or "", "")
            name = item[first_of(PICTURE_COLUMNS, list(item)) or ""]
            caption = item[first_of(CAPTION_COLUMNS, list(item)) or ""]
            yield _row(name, caption, split if isinstance(split, str) else "")
        else:
            yield f"a picture and its caption expected, got {shown(item)}"


def _is_row(item: dict[str, Any]) -> bool:
    keys = list(item)
    return bool(first_of(PICTURE_COLUMNS, keys) and first_of(CAPTION_COLUMNS, keys))


def _row(name: Any, captions: Any, split: str = "") -> Row | str:
    if not isinstance(name, str | int) or isinstance(name, bool):
        return f"a name or a number of a picture expected, got {shown(name)}"
    texts = list(_texts(captions))
    if None in texts:
        return f"captions of {name} as text expected, got {shown(captions)}"
    return str(name), [text for text in texts if text is not None], split


def _texts(captions: Any) -> Iterable[str | None]:
    """A caption or several, each as text or in an object; None in the place of what is neither."""
    for item in captions if isinstance(captions, list) else [captions]:
        key = first_of(("raw", *CAPTION_COLUMNS), list(item)) if isinstance(item, dict) else None
        text = item[key] if key else item
        yield text if isinstance(text, str) else None


def shown(item: Any) -> str:
    """The beginning of something, as JSON."""
    try:
        return json.dumps(item, ensure_ascii=False)[:60]
    except RecursionError:
        return "lists within lists"
