"""Captions in JSON: a list of objects, one object per line, or {name: captions}."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from limner.data.formats.columns import COLUMNS, Columns, first_of
from limner.data.formats.encoding import read_text
from limner.errors import InputError

Row = tuple[str, list[str], str]
"""Image name, captions, and split or ""."""

_AROUND = ("annotations", "captions", "images", "data", "rows", "items")
"""Keys under which a JSON object may hold the list of rows."""


def parse_json(path: Path, text: str) -> Any:
    """Parse JSON, or JSON lines as a list.

    Raises:
        InputError: if it is neither, or nested too deeply.
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


def read_object(path: Path, key: str) -> dict[str, Any]:
    """Read a JSON object that has a list under a key.

    Raises:
        InputError: if the file cannot be read, or has other contents.
    """
    content = parse_json(path, read_text(path))
    if not isinstance(content, dict) or not isinstance(content.get(key), list):
        raise InputError(f"{path}: expected an object with a list `{key}`, got {shown(content)}")
    return content


def json_rows(content: Any, columns: Columns = COLUMNS) -> Iterator[Row | str]:
    """Yield the rows of a JSON value, or a message for an invalid one.

    >>> list(json_rows({"a.jpg": ["A dog", {"raw": "Dog"}], "b.jpg": 3}))
    [('a.jpg', ['A dog', 'Dog'], ''), 'expected captions of b.jpg as text, got 3']
    >>> list(json_rows([{"id": 7, "text": "A dog", "split": "test"}, {"id": 1}], Columns(("id",))))
    [('7', ['A dog'], 'test'), 'expected objects with id and caption, got {"id": 1}']
    """
    if isinstance(content, dict) and not columns.keys_of(content):
        around = (content[key] for key in _AROUND if isinstance(content.get(key), (list, dict)))
        content = next(around, content)
    if isinstance(content, dict) and not columns.keys_of(content):
        yield from (_row(name, captions) for name, captions in content.items())
        return
    for item in content if isinstance(content, list) else [content]:
        keys = columns.keys_of(item)
        if keys:
            image, caption, split = keys
            yield _row(item[image], item[caption], item[split] if split else "")
        else:
            names = f"{', '.join(columns.image[:3])} and {columns.caption[0]}"
            yield f"expected objects with {names}, got {shown(item)}"


def _row(name: Any, captions: Any, split: Any = "") -> Row | str:
    if not isinstance(name, str | int) or isinstance(name, bool):
        return f"expected a name or a number for an image, got {shown(name)}"
    texts = caption_texts(captions)
    if texts is None:
        return f"expected captions of {name} as text, got {shown(captions)}"
    return str(name), texts, split if isinstance(split, str) else ""


def caption_texts(captions: Any) -> list[str] | None:
    """One or several captions, each a text or in an object; None if one is invalid."""
    texts = []
    for item in captions if isinstance(captions, list) else [captions]:
        key = first_of(("raw", *COLUMNS.caption), item) if isinstance(item, dict) else None
        texts.append(item[key] if key else item)
    return texts if all(isinstance(text, str) for text in texts) else None


def shown(item: Any) -> str:
    """Return the start of a value, as JSON."""
    try:
        return json.dumps(item, ensure_ascii=False)[:60]
    except RecursionError:
        return "lists within lists"
