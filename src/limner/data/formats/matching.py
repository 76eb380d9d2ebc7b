"""Matching of image names in caption files to image files.

The exact path has priority. Otherwise, these may differ: the normal form of Unicode (macOS),
backslashes, case, additional or missing folders, a missing extension, leading zeros of an id. An
ambiguous name is not matched.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePosixPath

_ZERO_PADDED = re.compile(r"(?:^|_)(0*\d+)$")


@dataclass
class Match:
    """The result of matching.

    Attributes:
        found: {name: image}.
        unsure: {name: possible images}, for ambiguous names.
    """

    found: dict[str, str] = field(default_factory=dict)
    unsure: dict[str, list[str]] = field(default_factory=dict)


def match_names(names: Iterable[str], images: Iterable[str]) -> Match:
    r"""Match names to images.

    Args:
        names: as in a captions file.
        images: paths with slashes.

    Returns:
        The images of the names.

    >>> images = ["a/1.jpg", "a/2.jpg", "b/2.jpg", "b/COCO_000000000003.png"]
    >>> match_names([r"images\a\2.jpg", "1.JPG", "3"], images).found
    {'images\\a\\2.jpg': 'a/2.jpg', '1.JPG': 'a/1.jpg', '3': 'b/COCO_000000000003.png'}
    >>> match_names(["2.jpg"], images).unsure
    {'2.jpg': ['a/2.jpg', 'b/2.jpg']}
    """
    exact, names = set(images), list(names)
    match = Match({name: name for name in names if name in exact})
    rest = [name for name in names if name not in exact]
    if not rest:
        return match
    index = _index(sorted(exact))
    elsewhere: dict[
        str, str
    ] = {}  # the same name in another folder: only if nothing else claims the image
    for name in rest:
        parts = _parts(name)
        candidates = _candidates(parts, index)
        if len(candidates) > 1:
            match.unsure[name] = candidates
        for image in candidates if len(candidates) == 1 else ():
            whole = _parts(image)
            is_end = _likeness(parts, whole)[0] == min(len(parts), len(whole)) - 1
            (match.found if is_end else elsewhere)[name] = image
    claims = Counter([*match.found.values(), *elsewhere.values()])
    match.found |= {name: image for name, image in elsewhere.items() if claims[image] == 1}
    return match


def _parts(name: str) -> list[str]:
    """The folders and the file name of a path, normalized except for case."""
    plain = unicodedata.normalize("NFC", name).replace("\\", "/")
    return [part for part in plain.split("/") if part not in ("", ".")] or [""]


def _index(images: Iterable[str]) -> dict[str, list[str]]:
    """Images by file name, by file name without extension, and by the number at its end."""
    index: dict[str, list[str]] = {}
    for image in images:
        file = _parts(image)[-1].casefold()
        stem = PurePosixPath(file).stem
        number = _ZERO_PADDED.search(stem)
        for key in {file, stem} | ({f"#{number[1].lstrip('0')}"} if number else set()):
            index.setdefault(key, []).append(image)
    return index


def _candidates(parts: list[str], index: dict[str, list[str]]) -> list[str]:
    """The images with this file name that agree in most folders, then in case."""
    name = parts[-1].casefold()
    found = index.get(name, [])
    if not found and name.isascii() and name.isdigit():
        found = index.get(f"#{name.lstrip('0')}", [])
    if len(found) > 1:
        likeness = {image: _likeness(parts, _parts(image)) for image in found}
        best = max(likeness.values())
        found = [image for image in found if likeness[image] == best]
    return found


def _likeness(name: list[str], image: list[str]) -> tuple[int, int]:
    """The number of equal trailing folders; the same plus the file name, case sensitive."""
    pairs = list(zip(name[-2::-1], image[-2::-1], strict=False))
    folded = takewhile(lambda pair: pair[0].casefold() == pair[1].casefold(), pairs)
    exact = takewhile(lambda pair: pair[0] == pair[1], pairs)
    return len(list(folded)), len(list(exact)) + (name[-1] == image[-1])
