"""The options of `limner check` and `limner prepare`, declared once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, field

from limner.config import MANY, MAX_SEED
from limner.data.pictures.limits import ImageLimits, Pixels
from limner.data.tokens import TokenConfig

Format = Literal[
    "table", "text", "coco", "karpathy", "flickr", "imagefolder", "webdataset", "features"
]
"""Keys of `limner.data.sources.FORMATS`, without what reading them imports."""

Share = Annotated[float, Meta(ge=0, le=MANY)]
Name = Annotated[str, Meta(pattern=r"^[^\W\d]\w*$")]


class CheckConfig(TokenConfig, frozen=True, kw_only=True):
    """What `limner check` reads, and how it would be prepared.

    >>> CheckConfig(source=Path("photos"), size=10**18)
    Traceback (most recent call last):
    ValueError: size 1000000000000000000: expected a whole number from 32 to 4,096
    >>> CheckConfig(source=Path("photos"), split={"train": Path("train.txt")}, seed=1)
    Traceback (most recent call last):
    ValueError: seed has no effect with split: leave it out
    """

    source: Annotated[
        Path,
        Meta(
            description="Folder of images and captions, or a file of one of the formats.",
            extra={"argument": True},
        ),
    ]
    format: (
        Annotated[Format, Meta(description="Format of the source, where detection fails.")] | None
    ) = None
    captions: (
        Annotated[Path, Meta(description="File of captions, where it is not in the source.")] | None
    ) = None
    images: (
        Annotated[Path, Meta(description="Folder of images, where it is not in the source.")] | None
    ) = None
    split: Annotated[
        dict[Name, Path],
        Meta(
            description="Split from a file of image names, e.g. train=train.txt; repeat for "
            "dev, test.",
            extra={"metavar": "NAME=FILE", "expected": "NAME=FILE, e.g. train=train.txt"},
        ),
    ] = field(default_factory=dict)
    ratio: Annotated[
        tuple[Annotated[float, Meta(gt=0, le=MANY)], Share, Share],
        Meta(
            description="Shares of the splits, where none are named.",
            extra={
                "metavar": "TRAIN,DEV,TEST",
                "expected": "three numbers for train, dev and test, e.g. 80,10,10",
            },
        ),
    ] = (80.0, 10.0, 10.0)
    seed: Annotated[
        int, Meta(ge=0, le=MAX_SEED, description="Random seed for the split by ratio.")
    ] = 0
    backbone: (
        Annotated[
            str,
            Meta(
                description="Backbone in place of the bundled one: FILE.onnx with its .toml "
                "beside it, vgg16-fc7, torchvision:NAME or timm:NAME.",
                extra={"metavar": "NAME"},
            ),
        ]
        | None
    ) = None
    weights: (
        Annotated[
            str,
            Meta(
                description="Weights of a PyTorch backbone; 'download' fetches the library's own.",
                extra={"metavar": "FILE"},
            ),
        ]
        | None
    ) = None
    features: Annotated[
        Literal["pooled", "grid", "both"],
        Meta(
            description="Features to keep: a vector for each image, one for each of its regions "
            "(for attention), or both."
        ),
    ] = "pooled"
    dtype: (
        Annotated[
            Literal["float16", "float32"],
            Meta(
                description="Type of the features on disk; otherwise float32, with a grid float16."
            ),
        ]
        | None
    ) = None
    pca: (
        Annotated[
            int,
            Meta(ge=1, le=MANY, description="Number of principal components of the features."),
        ]
        | None
    ) = None
    size: (
        Annotated[
            int,
            Meta(
                ge=32,
                le=4096,
                description="Side of the backbone's input in pixels; otherwise 224 for the "
                "bundled one; 288 sees more.",
            ),
        ]
        | None
    ) = None
    views: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="Number of altered views of every training image: the mirror image, "
            "then random crops.",
        ),
    ] = 0
    max_pixels: (
        Annotated[
            Pixels, Meta(description="Leave larger images out; otherwise what fits into 500 MB.")
        ]
        | None
    ) = None

    def without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        """As in `Config`."""
        yield bool(self.split), ("ratio", "seed"), "split"
        yield self.backbone is None, ("weights",), "backbone unset"
        is_onnx = str(self.backbone).endswith(".onnx")
        yield is_onnx, ("weights",), f"backbone {self.backbone}"

    @property
    def numbers(self) -> np.dtype[Any]:
        """The type of the features on disk."""
        return np.dtype(self.dtype or ("float32" if self.features == "pooled" else "float16"))

    @property
    def limits(self) -> ImageLimits:
        """Images beyond them are left out."""
        return ImageLimits(max_pixels=self.max_pixels)


class PrepareConfig(CheckConfig, frozen=True, kw_only=True):
    """What `limner prepare` makes a dataset from, and how."""

    out: Annotated[Path, Meta(description="Folder of the dataset, created if missing.")]
