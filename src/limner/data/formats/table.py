"""Files of captions: tables with a header, JSON, and Flickr8k's token lines."""

import ast
import csv
import json
import re
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from limner.data.formats.caption_format import CaptionFormat
from limner.data.formats.columns import COLUMNS, Columns, Header, find_columns, first_of
from limner.data.formats.encoding import read_text
from limner.data.formats.format import Candidate
from limner.data.formats.json_rows import json_rows, parse_json
from limner.data.formats.source import Source
from limner.errors import InputError
from limner.images.images import SUFFIXES

DELIMITERS = ("\t", ",", ";", "|")

TOKEN_LINE = re.compile(r"^(?P<image>[^\t]+)#\d+\t(?P<caption>.*)$")

_IMAGE_KEY = re.compile(rf"(?:{'|'.join(re.escape(s) for s in SUFFIXES)})\"\s*:", re.IGNORECASE)


class Table(CaptionFormat):
    """A table with a header, or JSON, with an image and a caption in each row."""

    name = "table"
    title = "a table of captions (CSV, TSV, JSONL, JSON) and a folder of images"
    suffixes = (".csv", ".tsv", ".txt", ".token", ".json", ".jsonl", ".ndjson")
    finds_splits = True

    def detect(self, file: Candidate) -> bool:
        text = file.text
        if not text.startswith(("{", "[")):
            lines = text.splitlines() or [""]
            return table_header(lines[_excel_lines(lines)]) is not None
        in_rows = text[0] == "[" or text.split("\n", 1)[0].rstrip().endswith("}")
        return bool(_IMAGE_KEY.search(text) or (in_rows and find_columns(sorted(file.keys))))

    def read_file(self, path: Path) -> Source:
        return read_captions(path)


def read_captions(path: Path, raw: bool = False, columns: Columns = COLUMNS) -> Source:
    """Read captions from a Flickr8k token file, a table with a header, or JSON (`json_rows`).

    The first line decides: `name.jpg#0<TAB>A caption .`, or a header with columns separated by
        tabs,
    commas, semicolons or bars. Columns besides image, caption and split are ignored. The captions
    of an image are in several rows, in several columns (caption_1, caption_2), or in one cell as a
    list.

    Args:
        path: the file.
        raw: whether captions are kept unchanged, including blank ones.
        columns: names of the columns.

    Returns:
        Captions by image names.

    Raises:
        InputError: if the file is missing, empty, not text, or lacks a column.
    """
    text = read_text(path)
    lines = text.split("\n")
    result = Source(path, raw=raw)
    if text.lstrip()[0] in "[{":
        _read_json(text, result, columns)
    elif TOKEN_LINE.match(lines[0]):
        _read_token_lines(lines, result)
    else:
        _read_table(lines, result, columns)
    return result.checked()


def _read_json(text: str, result: Source, columns: Columns) -> None:
    for number, row in enumerate(json_rows(parse_json(result.path, text), columns), start=1):
        if isinstance(row, str):
            result.pass_over(f"row {number}", "rows that are none", row)
        else:
            name, captions, split = row
            for caption in captions:
                result.add(name, caption, f"row {number}", split)


def _read_token_lines(lines: list[str], result: Source) -> None:
    for number, line in enumerate(lines, start=1):
        match = TOKEN_LINE.match(line)
        if match:
            result.add(match["image"], match["caption"], number)
        elif line.strip():
            wrong = f"expected `name#0<TAB>caption`, got {line[:40]!r}"
            result.pass_over(number, "lines that are none", wrong)


def table_header(line: str, columns: Columns = COLUMNS) -> tuple[str, Header] | None:
    r"""The delimiter and the columns of a table with this first line; None if it is no header.

    >>> table_header("image;caption;by")
    (';', Header(width=3, image=0, captions=[1], split=None))
    >>> table_header("A dog, asleep")
    """
    for delimiter in DELIMITERS:
        with suppress(csv.Error):
            header = find_columns(next(csv.reader([line], delimiter=delimiter), []), columns)
            if header:
                return delimiter, header
    return None


def _excel_lines(lines: list[str]) -> int:
    """Number of lines before the header: Excel writes `sep=;`."""
    return int(lines[0].lower().startswith("sep=") and len(lines) > 1)


def _read_table(lines: list[str], result: Source, columns: Columns) -> None:
    skipped = _excel_lines(lines)
    delimiter, header = table_header(lines[skipped], columns) or (",", None)
    # strict: otherwise a missing quote would silently merge the following rows
    rows = csv.reader(
        map("{}\n".format, lines),
        delimiter=delimiter,
        quoting=_quoting(lines, delimiter),
        strict=True,
    )
    started = 1  # first line of the row; rows.line_num is the last one
    try:
        for _ in range(skipped + 1):
            first = next(rows)
        if header is None:
            raise _no_columns(result.path, first, lines[skipped], columns)
        started = rows.line_num + 1
        for row in rows:
            _add_row(result, row, header, started)
            started = rows.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{result.path}, line {started}: not a table ({error}); is a quote missing?"
        ) from None


def _quoting(lines: list[str], delimiter: str) -> Literal[0, 3]:
    """Whether quotation marks delimit cells; with tabs, they may be part of a caption."""
    plain = delimiter == "|"
    if delimiter == "\t":
        try:
            deque(csv.reader(map("{}\n".format, lines), delimiter=delimiter, strict=True), maxlen=0)
        except csv.Error:
            plain = True
    return csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL


def _add_row(result: Source, row: list[str], header: Header, line: int) -> None:
    beyond = any(cell.strip() for cell in row[header.width :])  # a comma without quotes?
    if len(row) > max(header.image, header.captions[0]) and not beyond:
        split = row[header.split] if header.split is not None and header.split < len(row) else ""
        several = [text for i in header.captions if i < len(row) for text in _texts(row[i])]
        if len(header.captions) > 1:  # an image may have fewer captions than columns
            several = [text for text in several if text.strip()] or [""]
        for text in several:
            result.add(row[header.image], text, line, split)
    elif any(cell.strip() for cell in row):
        wrong = f"{len(row)} columns, expected {header.width}"
        result.pass_over(line, "rows of another length", wrong)


def _texts(cell: str) -> list[str]:
    """The captions of a cell: one, or a list as JSON or Python writes it."""
    if not (cell.lstrip().startswith("[") and cell.rstrip().endswith("]")):
        return [cell]
    for parse in (json.loads, ast.literal_eval):
        try:
            content: Any = parse(cell.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(content, list) and all(isinstance(text, str) for text in content):
            return content or [""]
    return [cell]


def _no_columns(path: Path, header: list[str], line: str, columns: Columns) -> InputError:
    keys = [name.strip().lower() for name in header]
    wanted = {"image": columns.image, "caption": columns.caption}
    missing = [name for name, names in wanted.items() if not first_of(names, keys)] or ["caption"]
    return InputError(
        f"{path}, line 1: no column {' and no column '.join(missing)}; expected a header with "
        f"image and caption, or Flickr8k's token lines, got {line[:60]!r}"
    )
