"""Names that stand for several files: train-{000..004}.tar, *.tar."""

import re
from pathlib import Path

from limner.errors import InputError

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")

MOST = 100_000


def is_pattern(path: Path) -> bool:
    """Whether a name stands for several files, and is not one itself."""
    return bool(set("*?{[") & set(str(path))) and not path.exists()


def expand(path: Path) -> list[Path]:
    """The files that a pattern stands for, in order; those of a range need not be there.

    Raises:
        InputError: if it is no pattern.

    >>> [str(file) for file in expand(Path("train-{008..010}.tar"))]
    ['train-008.tar', 'train-009.tar', 'train-010.tar']
    """
    names = [str(path)]
    for pattern, choices in ((_RANGE, _numbers), (_CHOICE, _words)):
        while any(pattern.search(name) for name in names) and len(names) < MOST:
            names = [
                name[: m.start()] + choice + name[m.end() :]
                for name in names
                if (m := pattern.search(name))
                for choice in choices(m)
            ]
    return [file for name in names for file in _globbed(Path(name))]


def _numbers(match: re.Match[str]) -> list[str]:
    first, last = match.groups()
    numbers = range(int(first), min(int(last), int(first) + MOST) + 1)
    return [str(number).zfill(len(first)) for number in numbers]


def _words(match: re.Match[str]) -> list[str]:
    return match[1].split(",")


def _globbed(path: Path) -> list[Path]:
    if not set("*?[") & set(str(path)):
        return [path]
    parts = path.parts
    fixed = next(i for i, part in enumerate(parts) if set("*?[") & set(part))
    try:
        return sorted(Path(*parts[:fixed]).glob(str(Path(*parts[fixed:]))))
    except ValueError as error:  # a ** within a name
        raise InputError(f"{path}: no pattern of files ({error})") from None
