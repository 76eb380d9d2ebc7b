"""Preprocessing of images for a network, and the TOML file that describes it.

S: side of the network's input in pixels
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from PIL import Image

from limner.errors import InputError
from limner.io import read_typed
from limner.typing import Array, Float

PerChannel = float | tuple[float, float, float]

SINCE: dict[str, Any] = {"share": 1.0, "pooling": "mean"}
"""The values of newer keys that are missing in older files."""


class Preprocessing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Preprocessing: images are resized, then normalized as ``(x - mean) / scale``.

    Args:
        size: side of the square input, in pixels.
        fit: "squash" resizes the whole image, ignoring its aspect ratio; "crop" takes the
            largest central square.
        share: share of each side of that which is taken, in the center.
        resample: Pillow's filter for resizing, with antialiasing.
        mean, scale: one number, or one per channel (in the order of ``channels``), for pixel
            values from 0 to 255.
        channels: the order of the color channels.
        layout: of the input, and of the output if it is a grid.
        output: name of the output; None is the first one.
        grid_output: name of the output with region features; None is the first one of four
            dimensions.
        pooling: how an output (N, D, H, W) or (N, L, D) is reduced to one vector: "mean", "max",
            or for (N, L, D) the "first", which often is a class token.

    Example:
        >>> Preprocessing(mean=127, scale=128).fit
        'squash'
    """

    mean: PerChannel
    scale: PerChannel
    size: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 224
    fit: Literal["squash", "crop"] = "squash"
    resample: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] = "bicubic"
    channels: Literal["RGB", "BGR"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    output: str | None = None
    grid_output: str | None = None
    pooling: Literal["mean", "max", "first"] = "mean"
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0

    def __post_init__(self) -> None:
        if not np.all(np.isfinite([*np.atleast_1d(self.mean), *np.atleast_1d(self.scale)])):
            raise ValueError("mean and scale must be finite")
        if not np.all(self.scale):
            raise ValueError("scale must not be 0")


def to_pixels(image: Image.Image, how: Preprocessing) -> Float[Array, "3 S S"]:
    """Preprocess an RGB image of any size.

    Args:
        image: RGB.
        how: the preprocessing.

    Returns:
        float32 (3, S, S).

    Example:
        >>> how = Preprocessing(mean=127, scale=128, size=2, channels="BGR")
        >>> to_pixels(Image.new("RGB", (8, 4), (255, 127, 63)), how)[:, 0, 0]
        array([-0.5,  0. ,  1. ], dtype=float32)
    """
    square = image.resize(
        (how.size, how.size),
        Image.Resampling[how.resample.upper()],
        box=_middle(image.size, how),
    )
    pixels = np.asarray(square)
    if how.channels == "BGR":
        pixels = pixels[:, :, ::-1]
    scaled = np.subtract(pixels, how.mean, dtype=np.float32)
    scaled /= np.asarray(how.scale, np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def read_preprocessing(path: Path) -> Preprocessing:
    """Read the TOML file of a network, with the keys of `Preprocessing`.

    Args:
        path: the file.

    Returns:
        The preprocessing.

    Raises:
        InputError: if it is missing or not TOML, or a key is unknown, missing or invalid.
    """
    if not path.exists():
        raise InputError(
            f"{path}: no such file; describe the network's preprocessing in it: "
            f"{', '.join(Preprocessing.__struct_fields__)}"
        )
    return read_typed(path, "correct the file", Preprocessing)


def preprocessing_facts(how: Preprocessing) -> dict[str, Any]:
    """The keys and values for datasets and checkpoints.

    Newer keys are included only if they differ from the default, so that fingerprints of older
    datasets remain valid.

    >>> facts = preprocessing_facts(Preprocessing(mean=127, scale=128, pooling="max"))
    >>> facts["pooling"], "share" in facts
    ('max', False)
    """
    facts = msgspec.json.decode(msgspec.json.encode(how))  # lists instead of tuples, as in files
    return {key: value for key, value in facts.items() if key not in SINCE or value != SINCE[key]}


def _middle(size: tuple[int, int], how: Preprocessing) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of the crop; None for the whole image."""
    if how.fit == "squash" and how.share == 1:
        return None
    sides = np.array(size) if how.fit == "squash" else np.array([min(size), min(size)])
    start = (size - how.share * sides) / 2
    left, top, right, bottom = (*start, *(size - start))
    return float(left), float(top), float(right), float(bottom)
