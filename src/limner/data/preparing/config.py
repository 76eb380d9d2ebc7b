"""Options of `check` and `prepare`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, field

from limner.config import MANY, Positive, Seed
from limner.data.formats import FORMATS
from limner.data.tokens import TokenConfig
from limner.images.limits import ImageLimits, Pixels

SPLIT = {"metavar": "NAME=FILE", "expected": "NAME=FILE, e.g. train=train.txt"}
RATIO = {"metavar": "TRAIN,DEV,TEST", "expected": "three numbers, the first above 0, e.g. 80,10,10"}
Name = Annotated[str, Meta(pattern=r"^[^\W\d]\w*$")]
Share = Annotated[float, Meta(ge=0, le=MANY)]
Views = Annotated[int, Meta(ge=0, le=1000)]
Side = Annotated[int, Meta(ge=32, le=4096)]


class CheckConfig(TokenConfig, frozen=True, kw_only=True):
    """Options of `check`: the source, and how it would be prepared.

    >>> CheckConfig(source=Path("photos"), size=10**18)
    Traceback (most recent call last):
    ValueError: `size` 1000000000000000000: expected a whole number from 32 to 4,096
    >>> CheckConfig(source=Path("photos"), split={"train": Path("train.txt")}, seed=1)
    Traceback (most recent call last):
    ValueError: `seed` has no effect with `split`: leave it out
    """

    source: Annotated[
        Path,
        Meta(description="Folder of images and captions, or a file.", extra={"argument": True}),
    ]
    format: Annotated[
        str | None,
        Meta(
            description="Format of the source, if detection fails.",
            extra={"metavar": "|".join(FORMATS)},
        ),
    ] = None
    captions: Annotated[
        Path | None, Meta(description="File of captions, if not in the source.")
    ] = None
    images: Annotated[Path | None, Meta(description="Folder of images, if not in the source.")] = (
        None
    )
    split: Annotated[
        dict[Name, Path],
        Meta(description="Split from a file of image names; repeat for dev, test.", extra=SPLIT),
    ] = field(default_factory=dict)
    ratio: Annotated[
        tuple[Annotated[float, Meta(gt=0, le=MANY)], Share, Share],
        Meta(description="Shares of the splits, if none are given.", extra=RATIO),
    ] = (80.0, 10.0, 10.0)
    seed: Annotated[Seed, Meta(description="Random seed for the split by ratio.")] = 0
    backbone: Annotated[
        str | None,
        Meta(
            description="Backbone instead of the bundled one: FILE.onnx with a .toml beside "
            "it, vgg16-fc7, torchvision:NAME or timm:NAME.",
            extra={"metavar": "NAME"},
        ),
    ] = None
    weights: Annotated[
        str | None,
        Meta(
            description="Weights of a PyTorch backbone; 'download' fetches the library's own.",
            extra={"metavar": "FILE"},
        ),
    ] = None
    features: Annotated[
        Literal["pooled", "grid", "both"],
        Meta(description="Features: of the image (pooled), of its regions (grid), or both."),
    ] = "pooled"
    dtype: Annotated[
        Literal["float16", "float32"] | None,
        Meta(description="Type of the features on disk [float32; with a grid float16]."),
    ] = None
    pca: Annotated[
        Positive | None, Meta(description="Number of principal components of the features.")
    ] = None
    size: Annotated[
        Side | None,
        Meta(description="Side of the backbone's input in pixels [the backbone's own]."),
    ] = None
    views: Annotated[
        Views,
        Meta(description="Augmented views per training image: mirrored, then crops."),
    ] = 0
    max_pixels: Annotated[
        Pixels | None,
        Meta(description="Skip larger images [limit: 500 MB of memory]."),
    ] = None

    def without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        """See `Config.without_effect`."""
        yield bool(self.split), ("ratio", "seed"), "`split`"
        yield self.backbone is None, ("weights",), "`backbone` unset"
        is_onnx = str(self.backbone).endswith(".onnx")
        yield is_onnx, ("weights",), f"`backbone` {self.backbone}"

    @property
    def numbers(self) -> np.dtype[Any]:
        """The dtype of the features on disk."""
        return np.dtype(self.dtype or ("float32" if self.features == "pooled" else "float16"))

    @property
    def limits(self) -> ImageLimits:
        """The limits on images."""
        return ImageLimits(max_pixels=self.max_pixels)


class PrepareConfig(CheckConfig, frozen=True, kw_only=True):
    """Options of `prepare`."""

    out: Annotated[Path, Meta(description="Folder of the dataset, created if missing.")]
    reuse: Annotated[
        tuple[Path, ...],
        Meta(
            description="Earlier dataset, whose features are reused for images of equal content; "
            "repeat for several.",
            extra={"metavar": "DATASET"},
        ),
    ] = ()
