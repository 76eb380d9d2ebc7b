"""A look at every picture before the work: what it holds, and whether it can be read at all.

It reads each file once and decodes it at the smallest size that its format gives, which for JPEG is
an eighth: a small part of what the features will cost.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from limner.backbones.backbone import cores
from limner.data.formats import Member, Picture
from limner.errors import InputError
from limner.images.images import load_image
from limner.images.limits import USUAL_LIMITS, ImageLimits
from limner.io import sha256_of

AT_ONCE = 512
"""Pictures that are looked at between two signs of progress."""


@dataclass(frozen=True)
class Seen:
    """What a look at a picture told.

    Attributes:
        sha256: of its bytes; empty where it cannot be read.
        problem: why it cannot be read, in one line that names it; None where it can.
    """

    sha256: str
    problem: str | None = None


def look(
    pictures: Mapping[str, Picture],
    progress: Callable[[int, int], None] = lambda done, total: None,
    limits: ImageLimits = USUAL_LIMITS,
) -> dict[str, Seen]:
    """Look at pictures, by their ids; in threads, in bounded memory.

    Args:
        pictures: {id: picture}.
        progress: takes how many are done, and of how many.
        limits: pictures beyond them cannot be read.

    >>> seen = look({"absent": Path("absent.jpg")})
    >>> seen["absent"].problem
    'absent.jpg: no such file; check the name and the folder'
    """
    seen: dict[str, Seen] = {}
    items = list(pictures.items())
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(items), AT_ONCE):
            some = items[start : start + AT_ONCE]
            found = pool.map(partial(look_at, limits=limits), [one for _, one in some])
            seen.update(zip([name for name, _ in some], found, strict=True))
            progress(len(seen), len(items))
    return seen


def look_at(picture: Picture, limits: ImageLimits = USUAL_LIMITS) -> Seen:
    """Look at one picture."""
    try:
        open_picture(picture, size_hint=1, limits=limits)
        return Seen(sha256_of_picture(picture))
    except InputError as error:
        return Seen("", str(error))


def sha256_of_picture(picture: Picture) -> str:
    """Of its bytes, in hexadecimal.

    Raises:
        InputError: if it is gone.
    """
    if isinstance(picture, Path):
        return sha256_of(picture)
    return hashlib.sha256(_member(picture).read()).hexdigest()


def open_picture(
    picture: Picture, *, size_hint: int, limits: ImageLimits = USUAL_LIMITS
) -> Image.Image:
    """An upright RGB picture, wherever it is.

    Raises:
        InputError: as `load_image` does.
    """
    file = picture if isinstance(picture, Path) else _member(picture)
    return load_image(file, size_hint=size_hint, limits=limits)


def _member(picture: Member) -> BinaryIO:
    try:
        return picture.open()
    except OSError as error:
        raise InputError(f"{picture}: cannot be read ({error.strerror}); check the file") from None
