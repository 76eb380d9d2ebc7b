"""File patterns: train-{000..004}.tar, *.tar."""

import glob
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

MOST = 100_000
"""Maximum number of files of a pattern."""

_BRACES = re.compile(r"\{(?:(\d{1,18})\.\.(\d{1,18})|([^{}]*,[^{}]*))\}")


def is_pattern(path: Path) -> bool:
    """Whether a name is a pattern and not an existing file."""
    return bool(set("*?{[") & set(str(path))) and not path.exists()


def expand(path: Path) -> list[Path]:
    """Expand a pattern into files, in order; those of a range need not exist.

    >>> [str(file) for file in expand(Path("train-{008..010}.tar"))]
    ['train-008.tar', 'train-009.tar', 'train-010.tar']
    """
    found: list[str] = []
    for name in islice(_without_braces(str(path)), MOST):
        is_glob = set("*?[") & set(name)
        found += sorted(glob.glob(name)) if is_glob else [name]  # noqa: PTH207 (name: any path)
    return [Path(file) for file in found]


def _without_braces(name: str) -> Iterator[str]:
    found = _BRACES.search(name)
    if not found:
        yield name
        return
    first, last, words = found.groups()
    numbers = range(int(first or 0), int(last or 0) + 1)
    for choice in words.split(",") if words else (str(n).zfill(len(first)) for n in numbers):
        yield from _without_braces(name[: found.start()] + choice + name[found.end() :])
