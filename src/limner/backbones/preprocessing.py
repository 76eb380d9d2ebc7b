"""How an image becomes a network's input: the TOML file beside a backbone, and what it says.

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
"""What was done before there were keys for it: facts without these keys mean this."""


class Preprocessing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an image becomes a network's input: resized, then ``(x - mean) / scale``.

    Args:
        size: side of the square input, in pixels.
        fit: "squash" takes the whole image and ignores its proportions; "crop" takes the
            largest square in its middle.
        share: how much of that is taken, of each side and in the middle.
        resample: Pillow's filter for the resizing, which always smooths when it shrinks.
        mean, scale: one number or one a channel (in the order of ``channels``), for pixel
            values from 0 to 255.
        channels: the order in which the network expects the colours.
        layout: of the network's input, and of its output where that is a grid.
        output: the network's output to read; its first where none is named.
        grid_output: the output to read for the features of every region; its first of four
            dimensions where none is named.
        pooling: what makes one vector of an output with several, (N, D, H, W) or (N, L, D): their
            "mean", their "max", or of (N, L, D) the "first", which often is a class token.

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
    """Return an RGB image of any size as a network's input, channels first.

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
    """Read the TOML file beside a network, whose keys are `Preprocessing`'s.

    Raises:
        InputError: missing, no TOML, an unknown or absent key, a value of the wrong type; the
            message names the file and the key.
    """
    if not path.exists():
        raise InputError(
            f"{path}: no such file; describe the network's preprocessing in it: "
            f"{', '.join(Preprocessing.__struct_fields__)}"
        )
    return read_typed(path, "correct the file", Preprocessing)


def preprocessing_facts(how: Preprocessing) -> dict[str, Any]:
    """Return the keys and values, as datasets and checkpoints keep them.

    Newer keys stand there only where they change something, so that a dataset of before is still
    the same one.

    >>> facts = preprocessing_facts(Preprocessing(mean=127, scale=128, pooling="max"))
    >>> facts["pooling"], "share" in facts
    ('max', False)
    """
    facts = msgspec.json.decode(msgspec.json.encode(how))  # lists in the place of tuples, as read
    return {key: value for key, value in facts.items() if key not in SINCE or value != SINCE[key]}


def _middle(size: tuple[int, int], how: Preprocessing) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom of what is taken of an image; None for all of it."""
    if how.fit == "squash" and how.share == 1:
        return None
    sides = np.array(size) if how.fit == "squash" else np.array([min(size), min(size)])
    start = (size - how.share * sides) / 2
    left, top, right, bottom = (*start, *(size - start))
    return float(left), float(top), float(right), float(bottom)
