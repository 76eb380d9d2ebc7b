"""Backbones: networks that compute the features of images.

This is their interface; `onnx_backbone` and `torch_backbone` run the networks,
and `open_backbone` chooses between them.

    N: images    S: side of the network's input in pixels    D: length of a feature vector
    L: regions of an image    G: length of a region's feature vector    F: values per image
"""

import math
import os
from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
from PIL import Image

from limner.backbones.info import BackboneInfo
from limner.backbones.preprocessing import Preprocessing, preprocessing_facts, to_pixels
from limner.errors import InputError
from limner.typing import Array, Float

DIMENSIONS = {"features": 2, "grid": 3}
"""Features of N images by name: (N, D) and (N, L, G)."""

Keep = Literal["pooled", "grid", "both"]
"""The features of an image: one vector, one vector per region, or both in one row."""


class Backbone(ABC):
    """A network with its preprocessing.

    Attributes:
        name: of the network.
        sha256: hash of the weights, in hexadecimal.
        preprocessing: how images are preprocessed.
        shapes: shapes of the features of an image: "features" (D,), "grid" (L, G), or both.
        threads: number of batches that are computed in parallel (`extract`).
    """

    name: str
    sha256: str
    preprocessing: Preprocessing
    shapes: dict[str, tuple[int, ...]]
    threads: int

    @abstractmethod
    def run(self, pixels: Float[Array, "N 3 S S"]) -> dict[str, Float[Array, "N ..."]]:
        """Run the network on preprocessed images; returns the features by name.

        "features" is (N, D), "grid" (N, L, G).

        Args:
            pixels: (N, 3, S, S), preprocessed.

        Returns:
            {"features": (N, D), "grid": (N, L, G)}, those that are kept.
        """

    @property
    def dim(self) -> int:
        """D, the size of pooled features; G if there are only region features."""
        return self.shapes.get("features", self.shapes.get("grid", ()))[-1]

    @property
    def num_regions(self) -> int | None:
        """L, number of regions of an image; None without a grid."""
        return self.shapes["grid"][0] if "grid" in self.shapes else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the features of an image: (D,), (L, G), or for both (D + L G,)."""
        if len(self.shapes) == 1:
            [shape] = self.shapes.values()
            return shape
        return (sum(map(math.prod, self.shapes.values())),)

    def probe(self, title: str, advice: str, count: int) -> dict[str, tuple[int, ...]]:
        """Run the network on `count` grey images; return the shapes of one image's features.

        Raises:
            InputError: if the network fails, or gives other shapes.
        """
        size = self.preprocessing.size
        try:
            parts = self.run(np.zeros((count, 3, size, size), np.float32))
        except InputError:
            raise
        except Exception as error:  # any exception of the network
            raise InputError(
                f"{title}: cannot take an image of {size} x {size} ({first_line(error)}); {advice}"
            ) from None
        for name, found in parts.items():
            if found.ndim != DIMENSIONS[name] or len(found) != count:
                raise InputError(
                    f"{title}: its {name} have shape {found.shape} for N = {count} images, not "
                    f"(N, D), (N, D, H, W) or (N, L, D); {advice}"
                )
        return {name: found.shape[1:] for name, found in parts.items()}

    def preprocess(self, image: Image.Image) -> Float[Array, "3 S S"]:
        """Preprocess an RGB image of any size; returns the input (3, S, S).

        Args:
            image: RGB, of any size.

        Returns:
            float32 (3, S, S).
        """
        return to_pixels(image, self.preprocessing)

    def features(self, pixels: Float[Array, "N 3 S S"]) -> Float[Array, "N *_ F"]:
        """The features of preprocessed images, one row per image, of `shape`.

        Args:
            pixels: (N, 3, S, S), preprocessed.

        Returns:
            (N, D), (N, L, G), or both in one row.

        Raises:
            ValueError: ``pixels`` is not of shape (N, 3, S, S).
        """
        expected = (3, self.preprocessing.size, self.preprocessing.size)
        if pixels.shape[1:] != expected:
            raise ValueError(f"pixels: expected shape (N, {expected}), got {pixels.shape}")
        found = self.run(pixels)
        flat = [found[name].reshape(-1, math.prod(shape)) for name, shape in self.shapes.items()]
        return np.concatenate(flat, axis=1).reshape(-1, *self.shape)

    def describe(self) -> BackboneInfo:
        """The metadata for datasets and checkpoints."""
        return BackboneInfo(
            name=self.name,
            sha256=self.sha256,
            preprocessing=preprocessing_facts(self.preprocessing),
            dim=self.dim,
            places=self.num_regions,
            grid_dim=self.shapes["grid"][-1] if len(self.shapes) > 1 else None,
        )


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return (str(error) or type(error).__name__).splitlines()[0]


def cores() -> int:
    """Number of CPU cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
