"""Files of captions: Flickr8k's token lines, tables with a header, JSON."""

import ast
import csv
import json
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from limner.data.formats.columns import (
    CAPTION_COLUMNS,
    DELIMITERS,
    PICTURE_COLUMNS,
    Header,
    find_columns,
    first_of,
)
from limner.data.formats.encoding import read_text
from limner.data.formats.json_captions import json_rows, parse_json
from limner.data.formats.problems import Problems
from limner.data.formats.splits import split_name
from limner.errors import InputError

TOKEN_LINE = re.compile(r"^(?P<image>[^\t]+)#\d+\t(?P<caption>.*)$")


@dataclass
class CaptionFile:
    """What a file of captions holds.

    Attributes:
        path: the file.
        captions: {image name: its captions, in the file's order}.
        splits: {split: image names}, where the file says.
        passed_over: rows that are not among them.
        blank: whether a caption may be blank.
    """

    path: Path
    captions: dict[str, list[str]] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)
    passed_over: Problems = field(default_factory=Problems)
    blank: bool = False

    @property
    def problems(self) -> list[str]:
        """What was passed over, in words."""
        return self.passed_over.lines()

    def add(self, image: str, caption: str, where: int | str = "", split: str = "") -> None:
        """Take a row in, or note why not; `where` it stands is a line or a place in words."""
        name, caption = image.strip(), " ".join(caption.split())
        if not name or "\n" in name or "\0" in name:
            wrong = "a line break or a NUL in the image name" if name else "no image name"
            self.pass_over(where, "rows without an image name", wrong)
        elif not caption and not self.blank:
            self.pass_over(where, "blank captions", f"a blank caption for {name}")
        elif not _is_text(name + caption):
            self.pass_over(where, "rows with half characters", "half a character (a surrogate)")
        else:
            name = posixpath.normpath(name)  # ./a.jpg is a.jpg
            self.captions.setdefault(name, []).append(caption)
            if split.strip():
                self.splits.setdefault(split_name(split), []).append(name)

    def take_in(self, other: "CaptionFile", folder: str = "") -> list[str]:
        """All captions of another file, under names in a folder; returns the names."""
        names = [posixpath.normpath(posixpath.join(folder, name)) for name in other.captions]
        for name, texts in zip(names, other.captions.values(), strict=True):
            self.captions.setdefault(name, []).extend(texts)
        self.passed_over.shown |= other.passed_over.shown
        self.passed_over.counts |= other.passed_over.counts
        return names

    def pass_over(self, where: int | str, kind: str, wrong: str) -> None:
        """Note a row that is not taken in."""
        place = f", line {where}" if isinstance(where, int) else f", {where}" if where else ""
        self.passed_over.add(f"{kind} in {self.path}", f"{self.path}{place}: {wrong}")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_captions(
    path: Path,
    blank: bool = False,
    pictures: Sequence[str] = PICTURE_COLUMNS,
    captions: Sequence[str] = CAPTION_COLUMNS,
) -> CaptionFile:
    """Read captions from a Flickr8k token file, a table with a header, or JSON (`json_captions`).

    The first line tells which it is: `name.jpg#0<TAB>A caption .` or a header, its columns parted
    by tabs, commas, semicolons or bars. Columns besides picture, caption and split are ignored. A
    picture's captions stand in several rows, in several columns (caption_1, caption_2), or in one
    cell as a list.

    Args:
        path: the file.
        blank: whether blank captions are taken in, as a captioner's may be.
        pictures: what the picture's column may be called, in order of preference.
        captions: the same of the captions'.

    Raises:
        InputError: if the file is missing, empty, not text, or lacks a column.
    """
    text = read_text(path)
    lines = text.split("\n")
    result = CaptionFile(path, blank=blank)
    if text.lstrip()[0] in "[{":
        _read_json(text, result)
    elif TOKEN_LINE.match(lines[0]):
        _read_token_lines(lines, result)
    else:
        _read_table(lines, result, pictures, captions)
    if not result.captions:
        why = "".join(f" ({problem})" for problem in result.problems[:1])
        raise InputError(f"{path}: not a single caption in it{why}")
    return result


def _read_json(text: str, result: CaptionFile) -> None:
    for number, row in enumerate(json_rows(parse_json(result.path, text)), start=1):
        if isinstance(row, str):
            result.pass_over(f"row {number}", "rows that are none", row)
        else:
            name, captions, split = row
            for caption in captions:
                result.add(name, caption, f"row {number}", split)


def _read_token_lines(lines: list[str], result: CaptionFile) -> None:
    for number, line in enumerate(lines, start=1):
        match = TOKEN_LINE.match(line)
        if match:
            result.add(match["image"], match["caption"], number)
        elif line.strip():
            wrong = f"expected `name#0<TAB>caption`, got {line[:40]!r}"
            result.pass_over(number, "lines that are none", wrong)


def table_header(
    line: str,
    pictures: Sequence[str] = PICTURE_COLUMNS,
    captions: Sequence[str] = CAPTION_COLUMNS,
) -> tuple[str, Header] | None:
    r"""The delimiter and the columns of a table with this first line; None if it is no header.

    >>> table_header("image;caption;by")
    (';', Header(width=3, picture=0, captions=[1], split=None))
    >>> table_header("A dog, asleep")
    """
    for delimiter in DELIMITERS:
        header = find_columns(_cells(line, delimiter), pictures, captions)
        if header:
            return delimiter, header
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _read_table(
    lines: list[str], result: CaptionFile, pictures: Sequence[str], captions: Sequence[str]
) -> None:
    skipped = 1 if lines[0].lower().startswith("sep=") and len(lines) > 1 else 0  # Excel's
    found = table_header(lines[skipped], pictures, captions)
    delimiter, header = found or (",", None)
    # strict: without it a missing quote would swallow the rows that follow, silently
    rows = csv.reader(
        (f"{line}\n" for line in lines),
        delimiter=delimiter,
        quoting=_quoting(lines, delimiter),
        strict=True,
    )
    started = 1  # the line on which the row began; rows.line_num is the one on which it ended
    try:
        for _ in range(skipped + 1):
            first = next(rows)
        if header is None:
            raise _no_columns(result.path, first, lines[skipped], pictures, captions)
        started = rows.line_num + 1
        for row in rows:
            _add_row(result, row, header, started)
            started = rows.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{result.path}, line {started}: not a table ({error}); is a quote missing?"
        ) from None


def _quoting(lines: list[str], delimiter: str) -> Literal[0, 3]:
    """Whether quotation marks are those of cells; where tabs part them, they may be a caption's."""
    if delimiter == "|":
        return csv.QUOTE_NONE
    if delimiter == "\t":
        rows = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
        try:
            for _ in rows:
                pass
        except csv.Error:
            return csv.QUOTE_NONE
    return csv.QUOTE_MINIMAL


def _add_row(result: CaptionFile, row: list[str], header: Header, line: int) -> None:
    beyond = any(cell.strip() for cell in row[header.width :])  # a comma without quotes?
    if len(row) > max(header.picture, header.captions[0]) and not beyond:
        split = row[header.split] if header.split is not None and header.split < len(row) else ""
        several = [text for i in header.captions if i < len(row) for text in _texts(row[i])]
        if len(header.captions) > 1:  # a picture may have fewer captions than there are columns
            several = [text for text in several if text.strip()] or [""]
        for text in several:
            result.add(row[header.picture], text, line, split)
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


def _no_columns(
    path: Path, header: list[str], line: str, pictures: Sequence[str], captions: Sequence[str]
) -> InputError:
    names = [name.strip().lower() for name in header]
    missing = [] if first_of(pictures, names) else ["image"]
    missing += [] if first_of(captions, names) else ["caption"]
    return InputError(
        f"{path}, line 1: no column {' and no column '.join(missing or ['caption'])}; expected a "
        f"header with image and caption, or Flickr8k's token lines, got {line[:60]!r}"
    )
