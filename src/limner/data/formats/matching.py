"""Which picture a name in a captions file means, however it is spelled.

The exact path comes first. Then, as people's names go through other systems: Unicode in another
form (macOS), backslashes, letter case, folders too many or too few, no ending, an id without its
zeros. A name that could mean two pictures is not guessed.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_ZERO_PADDED = re.compile(r"(?:^|_)(0*\d+)$")


@dataclass
class Match:
    """What names mean.

    Attributes:
        found: {name: picture}.
        unsure: {name: the pictures that it could mean}.
    """

    found: dict[str, str] = field(default_factory=dict)
    unsure: dict[str, list[str]] = field(default_factory=dict)


def match_names(names: Iterable[str], pictures: Iterable[str]) -> Match:
    r"""Find each name's picture among these paths, all of them with slashes.

    >>> pictures = ["a/1.jpg", "a/2.jpg", "b/2.jpg", "b/COCO_000000000003.png"]
    >>> match_names([r"images\a\2.jpg", "1.JPG", "3"], pictures).found
    {'images\\a\\2.jpg': 'a/2.jpg', '1.JPG': 'a/1.jpg', '3': 'b/COCO_000000000003.png'}
    >>> match_names(["2.jpg"], pictures).unsure
    {'2.jpg': ['a/2.jpg', 'b/2.jpg']}
    """
    exact, names = set(pictures), list(names)
    match = Match({name: name for name in names if name in exact})
    rest = [name for name in names if name not in exact]
    if not rest:
        return match
    index = _index(sorted(exact))
    elsewhere = {}  # the same name in another folder: only if nothing else claims the picture
    for name in rest:
        parts = _parts(name)
        candidates = _best(parts, _candidates(parts[-1], index))
        if len(candidates) > 1:
            match.unsure[name] = candidates
        elif candidates and _agree(parts, _parts(candidates[0])):
            match.found[name] = candidates[0]
        elif candidates:
            elsewhere[name] = candidates[0]
    claims = Counter([*match.found.values(), *elsewhere.values()])
    match.found |= {name: picture for name, picture in elsewhere.items() if claims[picture] == 1}
    return match


def _parts(name: str) -> list[str]:
    """The folders and the file of a path, in one spelling but for the letters' case."""
    plain = unicodedata.normalize("NFC", name).replace("\\", "/")
    return [part for part in plain.split("/") if part not in ("", ".")] or [""]


def _index(pictures: Iterable[str]) -> dict[str, list[str]]:
    """Pictures by file name, by file name without its ending, by the number at its end."""
    index: dict[str, list[str]] = {}
    for picture in pictures:
        file = _parts(picture)[-1].casefold()
        stem = PurePosixPath(file).stem
        number = _ZERO_PADDED.search(stem)
        keys = {file, stem} | ({f"#{number[1].lstrip('0')}"} if number else set())
        for key in keys:
            index.setdefault(key, []).append(picture)
    return index


def _candidates(file: str, index: dict[str, list[str]]) -> list[str]:
    name = file.casefold()
    found = index.get(name)
    if found is None and name.isascii() and name.isdigit():
        found = index.get(f"#{name.lstrip('0')}")
    return found or []


def _best(parts: list[str], candidates: list[str]) -> list[str]:
    """Those that agree with the name in the most folders, and then in the letters' case."""
    for fold in (True, False):
        if len(candidates) > 1:
            scores = [_agreement(parts, _parts(picture), fold) for picture in candidates]
            candidates = [
                p for p, score in zip(candidates, scores, strict=True) if score == max(scores)
            ]
    return candidates


def _agreement(name: list[str], picture: list[str], fold: bool) -> int:
    """How many parts from the end are the same, the file's own apart."""
    same = 0
    if not fold:
        same = name[-1] == picture[-1]
    for one, other in zip(name[-2::-1], picture[-2::-1], strict=False):
        if (one.casefold() != other.casefold()) if fold else (one != other):
            break
        same += 1
    return same


def _agree(name: list[str], picture: list[str]) -> bool:
    """Whether one of the two paths is the end of the other."""
    return _agreement(name, picture, True) == min(len(name), len(picture)) - 1
