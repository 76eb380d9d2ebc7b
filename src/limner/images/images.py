"""Loading of images: any common file becomes an upright RGB image, or raises one clear error.

EXIF rotation, palettes, transparency, CMYK, 16 bits per channel and several frames are handled by
`load_image`.
"""

import io
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from limner.errors import InputError
from limner.images.limits import (
    LARGE,
    MAX_MEMORY,
    USUAL_LIMITS,
    ImageLimits,
    MeasuredFile,
    refuse_costs,
    refuse_size,
)
from limner.images.rgb import to_rgb
from limner.typing import UInt8

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""The supported formats. Others of Pillow's start programs (EPS) or are unreliable."""

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2"}
"""File extensions of images, in lower case."""

Source = Path | str | bytes | BinaryIO | Image.Image | UInt8[np.ndarray, "H W 3"]
"""A path, bytes, an open file, an image of Pillow's, or an RGB array."""

_ONE_LARGE = threading.Lock()
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_image(
    source: Source, *, size_hint: int | None = None, limits: ImageLimits = USUAL_LIMITS
) -> Image.Image:
    """Open an image as 8-bit RGB, upright, on white where it was transparent.

    EXIF rotation is applied. The first of several frames is taken. Grey values of 16 bits are
    scaled to 8, not clipped.

    Args:
        source: a path, an open binary file, bytes, Pillow's image, or uint8 (H, W, 3), RGB.
        size_hint: a side in pixels that is sufficient for the caller. A larger image is reduced by
            an integer factor, a JPEG while it is decoded, which saves time and memory; no side
            of the result is reduced below the hint.
        limits: limits that are checked before decoding.

    Returns:
        A ``PIL.Image.Image`` of mode RGB, independent of the file.

    Raises:
        InputError: in one line that names the image: it is missing, a folder, not permitted,
            empty, not an image, truncated, damaged, or too large.
        TypeError: for another type of source.

    Example:
        >>> buffer = io.BytesIO()
        >>> Image.new("LA", (3, 2), (0, 0)).save(buffer, "PNG")
        >>> image = load_image(buffer.getvalue())
        >>> image.mode, image.size, image.getpixel((0, 0))
        ('RGB', (3, 2), (255, 255, 255))
    """
    name = source_name(source)
    if isinstance(source, (str, Path)):
        with open_file(source) as file:
            return _decode(file, name, size_hint, limits)
    if isinstance(source, np.ndarray):
        source = _from_array(source, name)
    if isinstance(source, Image.Image):
        with _errors_of(name):
            refuse_size(source.size, limits.pixels())
            found = _upright_rgb(source, size_hint, limits)
            return found.copy() if found is source else found
    if not isinstance(source, bytes) and not hasattr(source, "read"):
        raise TypeError(
            "an image is a path, bytes, an open file or an image of Pillow's, "
            f"not {type(source).__name__}"
        )
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    return _decode(file, name, size_hint, limits)


def check_image(content: bytes, name: str, limits: ImageLimits = USUAL_LIMITS) -> None:
    """Check that bytes can be decoded as an image.

    Args:
        content: the bytes.
        name: their name in the message.
        limits: limits on the image.

    Raises:
        InputError: if they cannot be decoded.

    Example:
        >>> check_image(b"", "standard input")
        Traceback (most recent call last):
        limner.errors.InputError: standard input: empty, 0 bytes; copy the file again
    """
    try:
        load_image(content, size_hint=1, limits=limits)
    except InputError as error:
        reason = str(error).removeprefix(f"{source_name(content)}: ")
        raise InputError(f"{name}: {reason}") from None


def source_name(source: Source) -> str:
    """The name of a source in messages: its path on one line, or its size.

    Args:
        source: as for `load_image`.

    Example:
        >>> source_name(Path("two\\nlines.jpg")), source_name(b"GIF89a")
        ('two\\\\nlines.jpg', 'image of 6 bytes')
    """
    if isinstance(source, bytes):
        return f"image of {len(source):,} bytes"
    if isinstance(source, np.ndarray):
        return f"array {source.shape} of {source.dtype}"
    if isinstance(source, Image.Image):
        source = getattr(source, "filename", "") or f"image of {source.width} x {source.height}"
    name = source if isinstance(source, (str, Path)) else getattr(source, "name", "open file")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(name))


def open_file(path: str | Path) -> BinaryIO:
    """Open a regular file; a pipe or device could block.

    Args:
        path: the file.

    Raises:
        InputError: if it is missing, a folder, not a regular file, or not permitted.
    """
    name = source_name(path)
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 (Path.stat would need a Path of a str)
        if stat.S_ISDIR(mode):
            raise InputError(f"{name}: a folder, not an image; name a file in it")
        if not stat.S_ISREG(mode):
            raise InputError(f"{name}: not an ordinary file; save the image to a file first")
        return Path(path).open("rb")
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; check the name and the folder") from None
    except PermissionError:
        raise InputError(f"{name}: no permission to read it; change its permissions") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:  # a name too long, a NUL inside, a broken disk
        raise InputError(f"{name}: cannot be opened ({_reason(error)}); check the name") from None


def _from_array(pixels: np.ndarray, name: str) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise InputError(f"{name}: expected an image (H, W, 3) of uint8")
    return Image.fromarray(pixels)


def _decode(source: BinaryIO, name: str, size_hint: int | None, limits: ImageLimits) -> Image.Image:
    """Decode an open image."""
    with _errors_of(name):
        _refuse_empty(source)
        if Image.MAX_IMAGE_PIXELS and limits.pixels(0) > Image.MAX_IMAGE_PIXELS:
            Image.MAX_IMAGE_PIXELS = limits.pixels(0)
        file = MeasuredFile(source)
        with _opened(file) as image:
            size = image.size
            file.expect_pixels(image.width * image.height)
            if size_hint is not None:
                image.draft(None, (size_hint, size_hint))
            cost = refuse_costs(image, size, limits, shrinks=size_hint is not None)
            with _ONE_LARGE if cost > LARGE else nullcontext():
                return _upright_rgb(image, size_hint, limits)


def _opened(file: MeasuredFile) -> Image.Image:
    """Read the header of an image; an unsupported format raises an error with advice."""
    try:
        return Image.open(cast(BinaryIO, file), formats=FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        if re.fullmatch(rb".{4}ftyp(hei[cxms]|hev[cx]|mif1|msf1)", file.read(12), re.DOTALL):
            raise InputError(
                "HEIC, which is not read; export it as JPEG, or convert it "
                "(heif-convert IMAGE.heic IMAGE.jpg)"
            ) from None
        raise


def _upright_rgb(image: Image.Image, size_hint: int | None, limits: ImageLimits) -> Image.Image:
    """Decode an opened image, rotate it upright, and convert it to RGB."""
    image.load()
    orientation = _orientation(image)
    factor = 1 if size_hint is None else max(1, min(image.size) // max(1, size_hint))
    rgb = to_rgb(image, factor)
    if orientation not in _UPRIGHT:
        return rgb
    if limits.max_pixels is None:  # rotation needs a copy
        refuse_size(rgb.size, MAX_MEMORY // (8 if rgb is image else 12))
    return rgb.transpose(_UPRIGHT[orientation])


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Convert Pillow's exceptions to an `InputError` about the image; silence its warnings."""
    _quiet_pillow()
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except Exception as error:  # any: Pillow's plugins raise SyntaxError, struct.error, ...
        raise InputError(f"{name}: {_complaint(error)}") from None


def _quiet_pillow() -> None:
    """Silence Pillow's warnings about metadata and large images.

    ``warnings.catch_warnings`` is not safe in the threads that decode, so filters for Pillow's
    modules are added, once.
    """
    for category in (UserWarning, Image.DecompressionBombWarning):
        if not any(f[0] == "ignore" and f[2] is category and f[3] for f in warnings.filters):
            warnings.filterwarnings("ignore", category=category, module=r"PIL\.")


def _refuse_empty(file: BinaryIO) -> None:
    """Raise for a file of 0 bytes; the position of others is unchanged."""
    if not file.seekable():
        return
    start = file.tell()
    if not file.read(1):
        raise InputError("empty, 0 bytes; copy the file again")
    file.seek(start)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if the metadata is missing or damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # an image with damaged metadata can be read
        return 1


def _complaint(error: Exception) -> str:
    """Describe an exception of Pillow, with advice."""
    reason = _reason(error)
    if isinstance(error, UnidentifiedImageError):
        return f"not an image that can be read; convert it to one of {', '.join(FORMATS)}"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # where Pillow's warning becomes an error
        return f"more than {limit:,} pixels; make it smaller, or allow more with `max_pixels`"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it; make it smaller"
    if isinstance(error, EOFError) or "truncated" in reason.lower():
        return f"the image is truncated ({reason}); copy the file again"
    return f"the image is damaged ({reason}); copy the file again, or leave it out"


def _reason(error: Exception) -> str:
    """The text of an exception on one line, or its type without a text."""
    text = " ".join((getattr(error, "strerror", None) or str(error)).split())
    return text or type(error).__name__
