"""Limits on images: pixels, memory, decoding time, and the length of the header.

A few bytes can declare an image of a billion pixels, or an endless header. The limits are checked
before anything is decoded.
"""

import math
import re
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from msgspec import Meta

from limner.config import Config
from limner.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 108_000_000
"""Maximum number of pixels: 12,000 x 9,000, the largest images of phones."""

MAX_MEMORY = 405_000_000
"""Maximum bytes for decoding, so that the whole process stays below 500 MB."""

LARGE = 60_000_000
"""Images that need more bytes are decoded one at a time."""

Pixels = Annotated[int, Meta(ge=1, le=10_000_000_000)]


class ImageLimits(Config, frozen=True, kw_only=True):
    """Limits on images, passed to every function that opens one.

    `max_pixels` replaces `MAX_PIXELS` and `MAX_MEMORY`; if it exceeds Pillow's
    ``PIL.Image.MAX_IMAGE_PIXELS``, that is raised for the whole process. The proxies of the
    environment (``http_proxy``) are only used with `allow_private`, since they resolve host names
    themselves.
    """

    max_pixels: Annotated[
        Pixels | None, Meta(description="Refuse larger images; otherwise what fits into 500 MB.")
    ] = None
    allow_private: Annotated[
        bool, Meta(description="Fetch from this machine, private networks and by proxy, too.")
    ] = False

    def pixels(self, usual: int = MAX_PIXELS) -> int:
        """Maximum number of pixels; `usual` if none is set."""
        return usual if self.max_pixels is None else self.max_pixels


USUAL_LIMITS = ImageLimits()

_MAX_SLOW = 2_000_000
"""Maximum number of pixels if Pillow's decoder is a loop in Python: about two seconds."""
_SLOW = {"ppm", "ppm_plain", "bmp_rle"}

_MAX_SCANS = 64
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # outside the pixel data of a JPEG
_SCAN, _END = 0xDA, 0xD9
_BITS_PER_SAMPLE, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_LENGTH = 258, 278, 322, 323  # TIFF tags
_HEADER_BYTES = 64_000_000
_HEADER_READS = 20_000


class MeasuredFile:
    """A file that limits the number of reads and bytes, of the header and of the rest.

    Pillow reads all blocks of metadata, some in quadratic time.

    Example:
        >>> import io
        >>> file = MeasuredFile(io.BytesIO(b"P6 " + b"#" * 30_000))
        >>> while True:
        ...     _ = file.read(1)
        Traceback (most recent call last):
        limner.errors.InputError: header too long; save the image again as PNG or JPEG
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads: float = _HEADER_READS
        self._bytes = _HEADER_BYTES

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        limit = self._bytes + 1
        content = self._file.read(limit if size is None or size < 0 else min(size, limit))
        self._reads -= 1
        self._bytes -= len(content)
        if self._reads < 0 or self._bytes < 0:
            raise InputError("header too long; save the image again as PNG or JPEG")
        return content

    def expect_pixels(self, count: int) -> None:
        """End the header; allow the maximum number of bytes of `count` pixels."""
        self._reads = float("inf")
        self._bytes = _HEADER_BYTES + 8 * count


def refuse_size(size: tuple[int, int], limit: int) -> None:
    """Raise InputError for more pixels than `limit`.

    Example:
        >>> refuse_size((20_000, 10_000), MAX_PIXELS)
        Traceback (most recent call last):
        limner.errors.InputError: 20,000 x 10,000 pixels, more than the 108,000,000 that are
        read of such a file; make it smaller, or allow more with `max_pixels`
    """
    if size[0] * size[1] > limit:
        raise InputError(
            f"{size[0]:,} x {size[1]:,} pixels, more than the {limit:,} that are read of "
            "such a file; make it smaller, or allow more with `max_pixels`"
        )


def refuse_costs(
    image: "Image.Image", full_size: tuple[int, int], limits: ImageLimits, *, shrinks: bool
) -> int:
    """Raise InputError for an opened image that needs too much memory.

    Args:
        image: opened, not decoded; a JPEG may be set to a reduced size.
        full_size: the size in its header.
        limits: `max_pixels` replaces the limits on memory.
        shrinks: whether the result is reduced in size.

    Returns:
        An upper bound of the bytes for decoding.
    """
    refuse_size(full_size, limits.pixels())
    if any(tile[0] in _SLOW for tile in getattr(image, "tile", ())):
        refuse_size(full_size, limits.pixels(_MAX_SLOW))
    pixels = full_size[0] * full_size[1]
    decoder = _decoder_bytes(image) * pixels
    held = (_pillow_bytes(image) + (0 if shrinks else _result_bytes(image))) * image.width
    cost = decoder + held * image.height
    if cost > MAX_MEMORY:
        refuse_size(full_size, limits.pixels(min(MAX_PIXELS, MAX_MEMORY * pixels // cost)))
    return cost


def _pillow_bytes(image: "Image.Image") -> int:
    """Bytes per pixel in Pillow's memory."""
    if image.mode in ("1", "L", "P"):
        return 1
    return 2 if image.mode.startswith("I;16") else 4


def _result_bytes(image: "Image.Image") -> int:
    """Bytes per pixel of the conversion to RGB, if any."""
    return 0 if image.mode == "RGB" and not image.has_transparency_data else 4


def _decoder_bytes(image: "Image.Image") -> int:
    """Bytes per pixel in the decoder, as measured by benchmarks/images.py."""
    bands = len(image.getbands())
    if image.format in ("JPEG", "MPO"):
        return 2 * bands if _keeps_coefficients(image) else 0
    if image.format == "TIFF":
        return _tiff_bytes(image)
    return {"WEBP": 13, "JPEG2000": 6 * bands, "AVIF": 12}.get(image.format or "", 0)


def _tiff_bytes(image: "Image.Image") -> int:
    """Bytes per pixel of a TIFF: the mapped file, and its largest strip or tile."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    rows = tags.get(_TILE_LENGTH) or tags.get(_ROWS_PER_STRIP) or image.height
    columns = tags.get(_TILE_WIDTH) or image.width
    share = min(1.0, int(rows) * int(columns) / (image.width * image.height))
    bits = sum(int(bits) for bits in tags.get(_BITS_PER_SAMPLE, (1,)))
    return math.ceil(bits / 8 * (1 + share))


def _keeps_coefficients(image: "Image.Image") -> bool:
    """Whether a JPEG is decoded in several passes, with all coefficients in memory.

    Raises:
        InputError: for too many scans, which take minutes.
    """
    file = image.fp  # type: ignore[attr-defined]
    here, bands = file.tell(), len(image.getbands())  # Pillow stops before the pixel data
    head = bytes([0, 6 + 2 * bands, bands])  # of a scan with all bands
    file.seek(here - head[1])
    interleaved = file.read(3) == head
    file.seek(here)
    content = file.read()
    scans, place = 1, 0
    while found := _MARKER.search(content, place):
        marker, place = content[found.start() + 1], found.end()
        if marker == _END:
            break
        scans += marker == _SCAN
        if scans > _MAX_SCANS:
            raise InputError(f"a JPEG in more than {_MAX_SCANS} scans; save it as PNG or JPEG")
        place += int.from_bytes(content[place : place + 2]) if marker != _SCAN else 0
    return scans > 1 or not interleaved or "progressive" in image.info
