"""What `prepare` and `check` are asked to do."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from limner.data.backbones.backbone import Backbone, Keep
from limner.data.backbones.open_backbone import open_backbone
from limner.data.pictures.limits import ImageLimits
from limner.data.writing import Captions

DEFAULT_RATIO = {"train": 0.8, "dev": 0.1, "test": 0.1}


@dataclass(frozen=True)
class Job:
    """What to prepare, and how.

    Attributes:
        source: what somebody has; see `limner.data.sources`.
        out: the dataset's folder, made if missing.
        format: one of `limner.data.sources.FORMATS`; None finds out.
        captions: the file of captions, where the source does not say.
        images: the folder of pictures, where the source does not say.
        split_files: {split: file with an image name a line}.
        ratio: shares of train, dev and test, of any sum, where no splits are named.
        seed: of the split by ratio.
        words: how captions become ids.
        backbone: see `open_backbone`; None takes the one that ships.
        weights: of a network of PyTorch, a file; or "download".
        keep: one vector a picture, the features of every place, or both.
        size: side of the backbone's input in pixels; None takes its own.
        views: keep features of so many altered views of every training picture too: its mirror
            image first, then random crops.
        dtype: of the features on disk; None is float32 for one vector a picture, else float16.
        pca: keep so many principal components of the features.
        max_pixels: larger pictures are left out; see `ImageLimits`.
    """

    source: Path
    out: Path
    format: str | None = None
    captions: Path | None = None
    images: Path | None = None
    split_files: dict[str, Path] = field(default_factory=dict)
    ratio: dict[str, float] = field(default_factory=lambda: dict(DEFAULT_RATIO))
    seed: int = 0
    words: Captions = field(default_factory=Captions)
    backbone: str | Path | None = None
    weights: str | Path | None = None
    keep: Keep = "pooled"
    size: int | None = None
    views: int = 0
    dtype: Literal["float16", "float32"] | None = None
    pca: int | None = None
    max_pixels: int | None = None

    @property
    def limits(self) -> ImageLimits:
        """Pictures beyond them are left out."""
        return ImageLimits(max_pixels=self.max_pixels)

    @property
    def numbers(self) -> np.dtype[Any]:
        """The type of the features on disk."""
        return np.dtype(self.dtype or ("float32" if self.keep == "pooled" else "float16"))

    def open_backbone(self) -> Backbone:
        """The network that the features come from."""
        return open_backbone(self.backbone, weights=self.weights, keep=self.keep, size=self.size)
