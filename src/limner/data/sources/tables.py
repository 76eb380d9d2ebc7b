"""What people have: files of captions, and files that say which picture is in which split."""

import codecs
import csv
import posixpath
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from limner.errors import InputError

IMAGE_COLUMNS = ("image", "image_id", "id")
"""What a picture's column may be called; the first that is there is taken."""

_FLICKR_LINE = re.compile(r"^(?P<image>.+)#\d+\t(?P<caption>.*)$")


@dataclass
class CaptionFile:
    """What a file of captions holds.

    Attributes:
        path: the file.
        captions: {image name: its captions, in the file's order}.
        problems: lines that were passed over, a message each.
        blank: whether a caption may be blank.
    """

    path: Path
    captions: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    blank: bool = False

    def add(self, image: str, caption: str, line: int) -> None:
        """Take a row in, or note why not."""
        image, caption = image.strip(), " ".join(caption.split())
        if not image or "\n" in image:
            wrong = "a line break in the image name" if image else "no image name"
            self.problems.append(f"{self.path}, line {line}: {wrong}")
        elif not caption and not self.blank:
            self.problems.append(f"{self.path}, line {line}: a blank caption for {image}")
        else:
            name = posixpath.normpath(image)  # ./a.jpg is a.jpg
            self.captions.setdefault(name, []).append(caption)


def read_captions(path: Path, blank: bool = False) -> CaptionFile:
    """Read captions from a Flickr8k token file, or from CSV or TSV with `image` and `caption`.

    The first line tells which it is: `name.jpg#0<TAB>A caption .` or a header. Other columns of a
    table are ignored; `image_id` and `id` are `image`. A UTF-8 byte order mark and Windows line
    ends are taken as they come.

    Args:
        path: the file.
        blank: whether blank captions are taken in, as a captioner's may be.

    Raises:
        InputError: if the file is missing, empty, not UTF-8, or lacks a column.
    """
    lines = read_text(path).split("\n")
    result = CaptionFile(path, blank=blank)
    if _FLICKR_LINE.match(lines[0]):
        for number, line in enumerate(lines, start=1):
            match = _FLICKR_LINE.match(line)
            if match:
                result.add(match["image"], match["caption"], number)
            elif line.strip():
                result.problems.append(
                    f"{path}, line {number}: expected `name#0<TAB>caption`, got {line[:40]!r}"
                )
    else:
        _read_table(lines, result)
    if not result.captions:
        raise InputError(f"{path}: not a single caption in it")
    return result


def _read_table(lines: list[str], result: CaptionFile) -> None:
    delimiter = "\t" if "\t" in lines[0] else ","
    # strict: without it a missing quote would swallow the rows that follow, silently
    rows = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    started = 1  # the line on which the row began; rows.line_num is the one on which it ended
    try:
        header = [name.strip().lower() for name in next(rows)]
        image, caption = _columns(header, lines[0], result.path)
        started = rows.line_num + 1
        for row in rows:
            beyond = any(cell.strip() for cell in row[len(header) :])  # a comma without quotes?
            if len(row) > max(image, caption) and not beyond:
                result.add(row[image], row[caption], started)
            elif any(cell.strip() for cell in row):
                result.problems.append(
                    f"{result.path}, line {started}: {len(row)} columns, expected {len(header)}"
                )
            started = rows.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{result.path}, line {started}: not a table ({error}); is a quote missing?"
        ) from None


def _columns(header: list[str], first_line: str, path: Path) -> tuple[int, int]:
    """Where the columns image and caption are."""
    images = [header.index(name) for name in IMAGE_COLUMNS if name in header]
    missing = [] if images else ["image"]
    missing += [] if "caption" in header else ["caption"]
    if missing:
        raise InputError(
            f"{path}, line 1: no column {' and no column '.join(missing)}; expected a "
            f"header with image and caption, or Flickr8k's token lines, got {first_line[:60]!r}"
        )
    return images[0], header.index("caption")


def read_text(path: Path) -> str:
    """UTF-8 text of a file, or of standard input (`-`), with Unix line ends, less the last one.

    Raises:
        InputError: if the file is missing, empty, or not UTF-8.
    """
    if path.is_dir():
        raise InputError(f"{path}: a folder, expected a file")
    if str(path) != "-" and not path.exists():
        raise InputError(f"{path}: no such file")
    content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    content = content.removeprefix(codecs.BOM_UTF8)
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: not UTF-8; save the file with the encoding UTF-8"
        ) from None
    if not text.strip():
        raise InputError(f"{path}: empty")
    return text.removesuffix("\n")


def read_split_files(files: dict[str, Path]) -> dict[str, list[str]]:
    """Splits from files with one image name a line.

    Raises:
        InputError: if there is no `train`, or a picture stands in two splits.
    """
    splits: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    for name, path in files.items():
        splits[name] = list(
            dict.fromkeys(
                posixpath.normpath(line.strip())
                for line in read_text(path).split("\n")
                if line.strip()
            )
        )
        for image in splits[name]:
            if image in owner:
                raise InputError(f"{path}: {image} is in the split {owner[image]} already")
            owner[image] = name
    if "train" not in splits:
        raise InputError("no split named train; name one with --split train=FILE")
    return splits


def split_by_ratio(images: list[str], ratio: dict[str, float], seed: int) -> dict[str, list[str]]:
    """Shuffle with a seed and cut: every picture in one split, train gets what the others leave.

    A split with a share has at least one picture.

    >>> sizes = split_by_ratio([f"{i}.jpg" for i in range(10)], {"train": 8, "dev": 2}, seed=0)
    >>> {name: len(images) for name, images in sizes.items()}
    {'train': 8, 'dev': 2}
    """
    order = [sorted(images)[i] for i in np.random.default_rng(seed).permutation(len(images))]
    total = sum(ratio.values())
    splits: dict[str, list[str]] = {}
    for name, share in ratio.items():
        if name != "train":
            count = max(round(len(images) * share / total), 1) if share else 0
            splits[name], order = order[:count], order[count:]
    if not order:
        raise InputError(
            f"{len(images)} pictures are too few to be split; name the splits by --split, "
            "or give train a larger share by --ratio"
        )
    return {"train": order, **{name: kept for name, kept in splits.items() if kept}}
