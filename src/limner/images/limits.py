"""What an image may cost before it is refused: pixels, memory, time, and the length of a header.

A few bytes can declare an image of a billion pixels, or a header without an end. All of this is
judged from the header, before anything is decoded.
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
"""Images with more pixels are refused: the largest that phones have, 12,000 x 9,000."""

MAX_MEMORY = 405_000_000
"""Bytes that decoding may take, so that the process stays under 500 MB with all else it holds."""

LARGE = 60_000_000
"""Images that take more bytes than that are decoded one at a time."""

Pixels = Annotated[int, Meta(ge=1, le=10_000_000_000)]


class ImageLimits(Config, frozen=True, kw_only=True):
    """Limits on images, passed to every function that opens one.

    A number of pixels takes the place of `MAX_PIXELS` and `MAX_MEMORY`; where it is above Pillow's
    ``PIL.Image.MAX_IMAGE_PIXELS``, that is raised, for the whole process. The environment's
    proxies (``http_proxy``) are used with `allow_private` alone: they look names up themselves, and
    what they reach cannot be checked.
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
"""Pixels that are read where Pillow's decoder is a loop in Python: some two seconds."""
_SLOW = {"ppm", "ppm_plain", "bmp_rle"}

_MAX_SCANS = 64
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # what is not in the pixels of a JPEG
_SCAN, _END = 0xDA, 0xD9
_BITS_PER_SAMPLE, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_LENGTH = 258, 278, 322, 323  # TIFF's tags
_HEADER_BYTES = 64_000_000
_HEADER_READS = 20_000


class MeasuredFile:
    """A file whose header has to come to an end, and the rest with it.

    Pillow reads blocks of metadata for as long as there are any, and some at a cost that grows
    with the square of their number.

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
        """End the header; allow the bytes that `count` pixels take at most."""
        self._reads = float("inf")
        self._bytes = _HEADER_BYTES + 8 * count


def refuse_size(size: tuple[int, int], limit: int) -> None:
    """Raise InputError for more pixels than these.

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
    """Raise InputError for an opened image that would take too much; return what it takes.

    Args:
        image: opened and not decoded; a JPEG may be set to be decoded smaller.
        full_size: what its header says.
        limits: a number of pixels takes the place of all limits that follow from memory.
        shrinks: the result will be small, whatever is decoded.

    Returns:
        Bytes, an estimate from above.
    """
    refuse_size(full_size, limits.pixels())
    if any(tile[0] in _SLOW for tile in getattr(image, "tile", ())):
        refuse_size(full_size, limits.pixels(_MAX_SLOW))
    pixels = full_size[0] * full_size[1]
    decoder = _decoder_bytes(image) * pixels
    held = (_held_bytes(image) + (0 if shrinks else _result_bytes(image))) * image.width
    cost = decoder + held * image.height
    if cost > MAX_MEMORY:
        refuse_size(full_size, limits.pixels(min(MAX_PIXELS, MAX_MEMORY * pixels // cost)))
    return cost


def _held_bytes(image: "Image.Image") -> int:
    """Of a pixel, in Pillow's own memory."""
    if image.mode in ("1", "L", "P"):
        return 1
    return 2 if image.mode.startswith("I;16") else 4


def _result_bytes(image: "Image.Image") -> int:
    """Of a pixel, when it is made RGB and that is not what has been decoded."""
    return 0 if image.mode == "RGB" and not image.has_transparency_data else 4


def _decoder_bytes(image: "Image.Image") -> int:
    """Of a pixel, in the decoder, as benchmarks/images.py has measured them."""
    bands = len(image.getbands())
    if image.format in ("JPEG", "MPO"):
        return 2 * bands if _keeps_coefficients(image) else 0
    if image.format == "TIFF":
        return _tiff_bytes(image)
    return {"WEBP": 13, "JPEG2000": 6 * bands, "AVIF": 12}.get(image.format or "", 0)


def _tiff_bytes(image: "Image.Image") -> int:
    """Of a pixel: the mapped file, and the largest strip or tile, which is decoded as a whole."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    rows = tags.get(_TILE_LENGTH) or tags.get(_ROWS_PER_STRIP) or image.height
    columns = tags.get(_TILE_WIDTH) or image.width
    share = min(1.0, int(rows) * int(columns) / (image.width * image.height))
    bits = sum(int(bits) for bits in tags.get(_BITS_PER_SAMPLE, (1,)))
    return math.ceil(bits / 8 * (1 + share))


def _keeps_coefficients(image: "Image.Image") -> bool:
    """Whether a JPEG is decoded in several passes: all its coefficients are kept, 2 bytes each.

    Raises:
        InputError: for thousands of scans, which take minutes and a few bytes each.
    """
    file = image.fp  # type: ignore[attr-defined]
    here, bands = file.tell(), len(image.getbands())  # Pillow stops where the pixels begin
    head = bytes([0, 6 + 2 * bands, bands])  # of a scan that has all bands
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
