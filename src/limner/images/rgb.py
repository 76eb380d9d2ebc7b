"""Conversion of decoded images of any mode to 8-bit RGB, in little memory."""

import numpy as np
from PIL import Image

_STRIP_PIXELS = 1_000_000


def to_rgb(image: Image.Image, factor: int = 1) -> Image.Image:
    """Convert an image of any mode to 8-bit RGB, on white, reduced by an integer factor.

    It is converted in strips, to save memory.

    Args:
        image: of any mode.
        factor: by which both sides are divided.

    Returns:
        The converted image, or the image itself if it is RGB already.

    Example:
        >>> to_rgb(Image.new("LA", (5, 4), (0, 0)), factor=2).size
        (3, 2)
    """
    if image.mode == "RGB" and factor == 1 and not image.has_transparency_data:
        return image
    width, height = image.size
    rows = factor * max(1, _STRIP_PIXELS // (width * factor))
    boxes = [(0, top, width, min(height, top + rows)) for top in range(0, height, rows)]
    white = _white(image, boxes)
    result = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for box in boxes:
        strip = _strip_to_rgb(image.crop(box), white)
        result.paste(strip.reduce(factor), (0, box[1] // factor))
    return result


def _strip_to_rgb(strip: Image.Image, white: float) -> Image.Image:
    if strip.mode.startswith("I") or strip.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(strip), white)).convert("RGB")
    if strip.has_transparency_data:
        colours = strip.convert("RGBA")
        result = Image.new("RGB", strip.size, "white")
        result.paste(colours, mask=colours.getchannel("A"))
        return result
    return strip.convert("RGB")


def _white(image: Image.Image, boxes: list[tuple[int, int, int, int]]) -> float:
    """The value of white: 65,535 for integers, 1 for floats, or the largest value above."""
    if image.mode not in ("I", "F"):
        return 65535.0
    brightest = max(float(_finite(np.asarray(image.crop(box))).max()) for box in boxes)
    return max(1.0 if image.mode == "F" else 65535.0, brightest)


def _finite(grey: np.ndarray) -> np.ndarray:
    return np.nan_to_num(grey.astype(np.float32), posinf=0.0, neginf=0.0)


def _to_8_bits(grey: np.ndarray, white: float) -> np.ndarray:
    """Scale greys of 16 or 32 bits, or floats, to uint8 (H, W).

    Example:
        >>> _to_8_bits(np.array([[0, 32768, 65535]], np.uint16), 65535)
        array([[  0, 128, 255]], dtype=uint8)
    """
    if grey.dtype.itemsize == 2 and grey.dtype.kind == "u":
        return (grey >> 8).astype(np.uint8)
    return (_finite(grey).clip(0, None) * (255 / white)).astype(np.uint8)
