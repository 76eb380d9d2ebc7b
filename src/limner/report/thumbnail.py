"""A picture inside a page: small, as a data URI, or the word that it is gone."""

import base64
import io
from collections.abc import Callable
from html import escape

from PIL import Image

from limner.errors import InputError

SIDE = 256
"""Longer side of a thumbnail, in pixels."""

THUMBNAILS = ((SIDE, 75), (SIDE, 50), (192, 50), (128, 50))
"""Longer side and JPEG quality, tried until the picture is small enough."""

THUMBNAIL_BYTES = 16_000
"""200 of these, in base64, are 4.3 MB."""


def thumbnail(load: Callable[[], Image.Image], alt: str) -> str:
    """The HTML of a picture.

    Args:
        load: opens it; raises InputError where it is gone.
        alt: what stands for it where pictures are not shown.
    """
    try:
        image = load()
    except InputError:
        return '<div class="picture gone">The picture is gone.</div>'
    for side, quality in THUMBNAILS:
        image.thumbnail((side, side))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= THUMBNAIL_BYTES:
            break
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<img class="picture" src="data:image/jpeg;base64,{data}" width="{image.width}" '
        f'height="{image.height}" alt="{escape(alt)}">'
    )
