"""Images from any source: files, folders, addresses, bytes, arrays, Pillow's images."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from limner.errors import InputError
from limner.images.images import SUFFIXES, Source, load_image
from limner.images.limits import USUAL_LIMITS, ImageLimits

Images = Source | Iterable[Source]
"""An image or its http(s) address, a folder, or several images."""


def open_source(
    source: Source, *, size_hint: int | None = None, limits: ImageLimits = USUAL_LIMITS
) -> Image.Image:
    """Open an image from any source as upright RGB.

    Args:
        source: as for `load_image`, or an http(s) address.
        size_hint, limits: as for `load_image`; `limits` applies to addresses, too.

    Returns:
        An image of mode RGB.

    Raises:
        InputError: as `load_image` and `fetch_image` do.

    Example:
        >>> open_source(np.zeros((2, 3, 3), np.uint8)).size
        (3, 2)
    """
    if isinstance(source, str) and "://" in source and not Path(source).exists():
        if not source.lower().startswith(("http://", "https://")):
            raise InputError(f"{source}: only http and https addresses are supported")
        from limner.images.remote import fetch_image  # noqa: PLC0415 (slow: imports ssl)

        return fetch_image(source, size_hint=size_hint, limits=limits)
    return load_image(source, size_hint=size_hint, limits=limits)


def images_in(folder: str | Path) -> list[Path]:
    """The image files of a folder and the folders in it, sorted; hidden ones are left out.

    Args:
        folder: the folder.

    Raises:
        InputError: if there are none.
    """
    folder = Path(folder)
    inside = (path.relative_to(folder) for path in folder.rglob("*"))
    return only_images(
        folder, (folder / path for path in inside if not any(n[0] == "." for n in path.parts))
    )


def is_several(images: Images) -> bool:
    """Whether this is a folder, a list of images, or a stack of arrays."""
    if isinstance(images, str | Path):
        return Path(images).is_dir()
    if isinstance(images, np.ndarray):
        return images.ndim > 3
    if isinstance(images, bytes | Image.Image) or hasattr(images, "read"):
        return False
    if not isinstance(images, Iterable):
        raise TypeError(
            "expected a path, address, bytes, open file, Pillow image or array, or several of "
            f"these, not {images!r:.60}"
        )
    return True


def as_several(images: Images) -> Iterable[Source]:
    """The images of a folder or list; a single image as a list of one."""
    if not is_several(images):
        return [cast(Source, images)]
    return images_in(images) if isinstance(images, str | Path) else cast(Iterable[Any], images)


def only_images(name: Path, paths: Iterable[Path]) -> list[Path]:
    """The image files among these, by their suffixes, sorted; InputError about `name` if none."""
    images = sorted({p for p in paths if p.suffix.lower() in SUFFIXES and p.is_file()})
    if not images:
        lack = "no image in it" if name.is_dir() else "no image matches"
        raise InputError(f"{name}: {lack} ({', '.join(sorted(SUFFIXES))})")
    return images
