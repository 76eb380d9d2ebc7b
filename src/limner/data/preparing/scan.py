"""Scan of images: hash, and whether they can be read.

Each file is opened once and decoded at the smallest size that its format allows, an eighth for
JPEG, which takes a small part of the time of feature extraction.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from limner.backbones.backbone import cores
from limner.backbones.features import ahead
from limner.data.formats import ImageFile
from limner.errors import InputError
from limner.images.images import load_image, open_file
from limner.images.limits import USUAL_LIMITS, ImageLimits

AT_ONCE = 512
"""Number of images between two progress updates."""

Progress = Callable[[str, int, int], None]
"""Called with the name of the stage, the number of images done, and of all."""


@dataclass(frozen=True)
class Seen:
    """The scan result of an image.

    Attributes:
        sha256: hash of the file; empty if it cannot be read.
        problem: why it cannot be read, in one line; None if it can.
    """

    sha256: str
    problem: str | None = None


def scan(
    image_files: Mapping[str, ImageFile],
    progress: Callable[[int, int], None] = lambda done, total: None,
    limits: ImageLimits = USUAL_LIMITS,
) -> dict[str, Seen]:
    """Scan images in threads, in bounded memory.

    Args:
        image_files: {id: file}.
        progress: called with the number of images done, and of all.
        limits: limits on the images.

    Returns:
        {id: scan result}.

    >>> seen = scan({"absent": Path("absent.jpg")})
    >>> seen["absent"].problem
    'absent.jpg: no such file; check the name and the folder'
    """
    seen: dict[str, Seen] = {}
    found = ahead(partial(_scan_one, limits=limits), image_files.values(), cores())
    for image, one in zip(image_files, found, strict=True):
        seen[image] = one
        if len(seen) % AT_ONCE == 0 or len(seen) == len(image_files):
            progress(len(seen), len(image_files))
    return seen


def _scan_one(image_file: ImageFile, limits: ImageLimits) -> Seen:
    try:
        with open_image_file(image_file) as file:
            sha256 = sha256_of_open(file)
            load_image(file, size_hint=1, limits=limits)
            return Seen(sha256)
    except InputError as error:
        return Seen("", str(error))


def open_image(image_file: ImageFile, *, size_hint: int) -> Image.Image:
    """Open an image file, or a member of a tar file, as upright RGB.

    Raises:
        InputError: as `load_image` does.
    """
    with open_image_file(image_file) as file:
        return load_image(file, size_hint=size_hint)


def open_image_file(image_file: ImageFile) -> BinaryIO:
    """Open the file of an image, or its member of a tar file.

    Raises:
        InputError: if it is missing, or not a regular file.
    """
    if isinstance(image_file, Path):
        return open_file(image_file)
    try:
        return image_file.open()
    except OSError as error:
        raise InputError(
            f"{image_file}: cannot be read ({error.strerror}); check the file"
        ) from None


def sha256_of_open(file: BinaryIO) -> str:
    """The SHA-256 of an open file, in hexadecimal; the file is rewound."""
    try:
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        file.seek(0)
    except OSError as error:
        raise InputError(
            f"{file.name}: cannot be read ({error.strerror}); check the file"
        ) from None
    return digest
