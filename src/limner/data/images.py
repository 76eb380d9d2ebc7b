"""Opening pictures: any file that people have becomes an upright RGB image, or one clear error.

Two pictures differ in more ways than their format: EXIF rotation, palettes, transparency,
CMYK, 16 bits a pixel, several frames. What comes out of `load_image` has none of these left.
"""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from limner.errors import InputError

MAX_PIXELS = 100_000_000
"""Pictures with more pixels are refused from their header, before anything is decoded."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""What is read. Pillow knows more, but some of those start other programs (EPS) or are guesses."""

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2"}
"""How the names of pictures end, in small letters; what is in a folder is told by them."""

Source = Path | str | bytes | BinaryIO | Image.Image

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


def load_image(source: Source, *, size_hint: int | None = None) -> Image.Image:
    """Open a picture as 8-bit RGB, upright, on white where it was transparent.

    EXIF rotation is applied. Of a picture with several frames the first is taken. Greys of
    16 bits are scaled to 8, never clipped.

    Args:
        source: a path, an open binary file, the picture's bytes, or Pillow's image of it.
        size_hint: a side in pixels that is large enough for the caller. A larger JPEG is then
            decoded at a half, a quarter or an eighth of its size, faster; no side of the result
            falls below the hint that was not below it already.

    Returns:
        A ``PIL.Image.Image`` of mode RGB, independent of the file.

    Raises:
        InputError: whatever is wrong with the picture, in one line that names it: missing, a
            folder, no permission, empty, not a picture, truncated, damaged, more than
            `MAX_PIXELS` pixels.
        TypeError: if the source is none of these.

    Example:
        >>> buffer = io.BytesIO()
        >>> Image.new("LA", (3, 2), (0, 0)).save(buffer, "PNG")
        >>> image = load_image(buffer.getvalue())
        >>> image.mode, image.size, image.getpixel((0, 0))
        ('RGB', (3, 2), (255, 255, 255))
    """
    name = source_name(source)
    if isinstance(source, (str, Path)):
        with _open_file(source, name) as file:
            return _decode(file, name, size_hint)
    if isinstance(source, Image.Image):
        with _told(name):
            _refuse_size(source.size, name)
            return _upright_rgb(source)
    if not isinstance(source, bytes) and not hasattr(source, "read"):
        raise TypeError(
            "a picture is a path, bytes, an open file or an image of Pillow's, "
            f"not {type(source).__name__}"
        )
    return _decode(io.BytesIO(source) if isinstance(source, bytes) else source, name, size_hint)


def source_name(source: Source) -> str:
    """Return what error messages call a source: its path on one line, or its length.

    Example:
        >>> source_name(Path("two\\nlines.jpg")), source_name(b"GIF89a")
        ('two\\\\nlines.jpg', 'picture of 6 bytes')
    """
    if isinstance(source, bytes):
        return f"picture of {len(source):,} bytes"
    if isinstance(source, Image.Image):
        source = getattr(source, "filename", "") or f"picture of {source.width} x {source.height}"
    name = source if isinstance(source, (str, Path)) else getattr(source, "name", "open file")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(name))


def _open_file(path: str | Path, name: str) -> BinaryIO:
    """Open an ordinary file, or say why it cannot be; a pipe or device would hang the reader."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 (Path.stat would need a Path of a str)
        if stat.S_ISDIR(mode):
            raise InputError(f"{name}: a folder, not a picture; name a file in it")
        if not stat.S_ISREG(mode):
            raise InputError(f"{name}: not an ordinary file; save the picture to a file first")
        return Path(path).open("rb")
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; check the name and the folder") from None
    except PermissionError:
        raise InputError(f"{name}: no permission to read it; change its permissions") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:  # a name too long, a NUL inside, a broken disk
        raise InputError(f"{name}: cannot be opened ({_reason(error)}); check the name") from None


def _decode(file: BinaryIO, name: str, size_hint: int | None) -> Image.Image:
    """Decode an open picture."""
    with _told(name):
        _refuse_empty(file, name)
        with Image.open(file, formats=FORMATS) as image:
            _refuse_size(image.size, name)
            if size_hint is not None:
                image.draft(None, (size_hint, size_hint))
            return _upright_rgb(image)


def _upright_rgb(image: Image.Image) -> Image.Image:
    """Decode what Pillow has opened, turn it upright, and make it RGB."""
    image.load()
    orientation = _orientation(image)
    rgb = _to_rgb(image)
    return rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Whatever Pillow throws becomes an `InputError` about the picture; its warnings are quiet."""
    _quiet_pillow()
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # Pillow's plugins throw anything: SyntaxError, struct.error, ...
        raise InputError(f"{name}: {_complaint(error)}") from None


def _quiet_pillow() -> None:
    """Silence what Pillow warns of (odd metadata, large pictures): here it is fine or an error.

    ``warnings.catch_warnings`` would be tidier but is not safe in the threads that decode, so
    filters for Pillow's own modules are put in front, once for as long as they stay there.
    """
    for category in (UserWarning, Image.DecompressionBombWarning):
        if not any(f[0] == "ignore" and f[2] is category and f[3] for f in warnings.filters):
            warnings.filterwarnings("ignore", category=category, module=r"PIL\.")


def _refuse_empty(file: BinaryIO, name: str) -> None:
    """Raise for a file of 0 bytes, and leave any other where it was."""
    if not file.seekable():
        return
    start = file.tell()
    if not file.read(1):
        raise InputError(f"{name}: empty, 0 bytes; copy the file again")
    file.seek(start)


def _refuse_size(size: tuple[int, int], name: str) -> None:
    """Raise for a picture with more than `MAX_PIXELS`."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{name}: {width:,} x {height:,} pixels, more than the {MAX_PIXELS:,} that are read; "
            "make it smaller"
        )


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where the metadata is absent or damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged metadata is no reason to refuse a sound picture
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return a loaded picture of any mode as RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(colours, mask=colours.getchannel("A"))
        return white
    return image.convert("RGB")


def _to_8_bits(grey: np.ndarray) -> np.ndarray:
    """Scale greys of 16 or 32 bits, or floats, to uint8 (H, W).

    White is 65,535 for integers and 1 for floats, or the brightest pixel where one goes beyond.

    Example:
        >>> _to_8_bits(np.array([[0, 32768, 65535]], np.uint16))
        array([[  0, 128, 255]], dtype=uint8)
    """
    if grey.dtype.itemsize == 2 and grey.dtype.kind == "u":
        return (grey >> 8).astype(np.uint8)
    values = np.nan_to_num(grey.astype(np.float32), posinf=0.0, neginf=0.0)
    white = max(1.0 if grey.dtype.kind == "f" else 65535.0, float(values.max()))
    return (values.clip(0, None) * (255 / white)).astype(np.uint8)


def _complaint(error: Exception) -> str:
    """Say in plain words what one of Pillow's exceptions means, and what to do."""
    reason = _reason(error)
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture that can be read; convert it to one of {', '.join(FORMATS)}"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more than the {MAX_PIXELS:,} pixels that are read; make it smaller"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it; make it smaller"
    if isinstance(error, EOFError) or "truncated" in reason.lower():
        return f"the picture is truncated ({reason}); copy the file again"
    return f"the picture is damaged ({reason}); copy the file again, or leave it out"


def _reason(error: Exception) -> str:
    """Return an exception's text on one line, or its type where it has none."""
    text = " ".join((getattr(error, "strerror", None) or str(error)).split())
    return text or type(error).__name__
