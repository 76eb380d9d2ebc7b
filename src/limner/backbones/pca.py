"""Principal components (Pearson 1901) of features.

They are computed from the covariance matrix, summed by blocks, so that memory (D x D) does not
depend on the number of images.

    N: rows    D: length of a feature vector    K: number of components
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from limner.errors import InputError
from limner.io import write_atomically
from limner.typing import Array, Float

Blocks = Callable[[], Iterable[Float[Array, "B *_ D"]]]


class ComponentsInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Metadata of principal components.

    Args:
        dim: K.
        sha256: hash of the projection.
        explained: their share of the total variance.
    """

    dim: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    sha256: str
    explained: Annotated[float, Meta(ge=0, le=1.001)] | None = None


@dataclass(frozen=True)
class Projection:
    """Mean and principal components.

    Attributes:
        mean: (D,) mean of the rows it was fitted to.
        components: (D, K), orthonormal columns by decreasing variance; the entry of largest
            magnitude of each is positive.
        explained: (K,) share of the total variance of each component.
    """

    mean: Float[Array, " D"]
    components: Float[Array, "D K"]
    explained: Float[Array, " K"]

    @property
    def dim(self) -> int:
        """K."""
        return len(self.explained)

    @cached_property
    def sha256(self) -> str:
        """Hash of the projection."""
        return hashlib.sha256(self.mean.tobytes() + self.components.tobytes()).hexdigest()

    def project(self, features: Float[Array, "*N D"]) -> Float[Array, "*N K"]:
        """Project features; returns float32 coordinates along the components.

        Args:
            features: (..., D).

        Returns:
            (..., K) float32.

        >>> projection = fit(lambda: [np.array([[0.0, 1], [2, 1], [4, 1]])], dim=1)
        >>> projection.project(np.array([4.0, 1.0])), projection.explained
        (array([2.], dtype=float32), array([1.]))
        """
        found: Array = np.subtract(features, self.mean, dtype=np.float32) @ self.components
        return found

    def describe(self) -> "ComponentsInfo":
        """The metadata for datasets and checkpoints."""
        explained = round(float(self.explained.sum()), 4)
        return ComponentsInfo(dim=self.dim, sha256=self.sha256, explained=explained)

    def tensors(self) -> dict[str, Array]:
        """Its arrays by name, for files."""
        return {
            "mean": self.mean,
            "components": np.ascontiguousarray(self.components),
            "explained": self.explained,
        }

    def save(self, path: Path) -> None:
        """Write a `.safetensors` file for `load`.

        Args:
            path: the file.
        """
        write_atomically(path, save(self.tensors()))

    @classmethod
    def load(cls, path: Path) -> "Projection":
        """Read a file of `save`.

        Args:
            path: the file.

        Raises:
            InputError: if the file is missing or damaged.
        """
        try:
            return cls.from_tensors(load_file(path))
        except (SafetensorError, OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{path}: no principal components ({reason}); prepare the dataset again"
            ) from None

    @classmethod
    def from_tensors(cls, tensors: dict[str, Array]) -> "Projection":
        """From arrays by name; raises ValueError for inconsistent shapes."""
        try:
            mean, components, explained = (tensors[name] for name in cls.__dataclass_fields__)
        except KeyError as error:
            raise ValueError(f"no {error}") from None
        if components.shape != (len(mean), len(explained)):
            raise ValueError(f"mean {mean.shape}, but components {components.shape}")
        return cls(mean, components, explained)


def fit(blocks: Blocks, dim: int) -> Projection:
    """Compute the `dim` principal components of rows, in two passes over blocks.

    Sums are in float64, products of a block in float32.

    Args:
        blocks: returns all rows, in blocks of any size, at each call; each region is a row.
        dim: K.

    Raises:
        InputError: if rows have fewer than `dim` dimensions.
    """
    count, total = 0, np.zeros(())
    for block in blocks():
        rows = block.reshape(-1, block.shape[-1])
        count += len(rows)
        total = total + rows.sum(axis=0, dtype=np.float64)
    check_dim(dim, total.size)
    mean = (total / count).astype(np.float32)
    covariance = np.zeros((mean.size, mean.size))
    for block in blocks():
        centred = np.subtract(block.reshape(-1, mean.size), mean, dtype=np.float32)
        covariance += centred.T @ centred
    variances, directions = np.linalg.eigh(covariance)  # ascending
    components = directions[:, ::-1][:, :dim]
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=0)[None], axis=0)
    components = np.ascontiguousarray(components * np.sign(largest), dtype=np.float32)
    whole = max(float(np.trace(covariance)), np.finfo(np.float64).tiny)
    return Projection(mean, components, variances[::-1][:dim].clip(0) / whole)


def check_dim(dim: int, numbers: int) -> None:
    """Raise InputError if there are more components than dimensions."""
    if dim > numbers:
        raise InputError(
            f"`pca` {dim}: features of {numbers} numbers have no more principal components than "
            "that; ask for fewer"
        )
