"""Render a template of `templates` to one self-contained HTML file."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from limner.data.formats import ImageFile
from limner.data.preparing.scan import open_image
from limner.errors import InputError
from limner.io import write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment

SIDE = 256
"""Longer side of a thumbnail, in pixels."""

THUMBNAILS = ((SIDE, 75), (SIDE, 50), (192, 50), (128, 50))
"""(longer side, JPEG quality), tried in order until the file is small enough."""

THUMBNAIL_BYTES = 16_000
"""200 of these, in base64, are 4.3 MB."""


@dataclass(frozen=True)
class Thumbnail:
    """A small JPEG in base64, and its size in pixels."""

    data: str
    width: int
    height: int


@cache
def environment() -> "Environment":
    """The Jinja2 environment, with autoescape."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 (rarely used)

    made = Environment(
        loader=PackageLoader("limner.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"commas": "{:,}".format, "percent": "{:.1%}".format}
    return made


def write_page(
    path: Path, template: str, find: Callable[[str], ImageFile] | None, **values: object
) -> None:
    """Write a page.

    Args:
        path: of the HTML file.
        template: the name of its template.
        find: image id -> image, raises KeyError or InputError if it is missing; None for a
            dataset without images.
        values: variables of the template.

    Raises:
        LimnerError: if it cannot be written.
    """
    values["thumbnail"] = partial(thumbnail, find) if find else None
    write_atomically(path, environment().get_template(template).render(values))


def refuse_other_files(path: Path) -> None:
    """Raise InputError if a file that limner did not write would be overwritten."""
    start = b""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(4096)
    if path.exists() and not (start.startswith(b"<!doctype html>") and b"limner" in start):
        raise InputError(f"{path}: exists and is not a limner report; choose another `html`")


def thumbnail(find: Callable[[str], ImageFile], image_id: str) -> Thumbnail | None:
    """A thumbnail of an image; None if it is missing or unreadable."""
    try:
        image = open_image(find(image_id), size_hint=SIDE)
    except (KeyError, InputError):
        return None
    for side, quality in THUMBNAILS:
        image.thumbnail((side, side))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= THUMBNAIL_BYTES:
            break
    return Thumbnail(base64.b64encode(buffer.getvalue()).decode(), image.width, image.height)
