"""Writing of a dataset's files, which `limner.data.dataset` describes.

Each appears under its name when it is complete; dataset.json is the last one.

Shapes: N images, M captions, T words, L regions, D features, F values of a row.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from limner.backbones.pca import Projection, fit
from limner.data.blocks import blocks
from limner.data.hdf5 import h5_writer
from limner.data.opening import view_file
from limner.data.schema import DatasetInfo, FileInfo, SplitInfo
from limner.data.tokens import References, TokenConfig
from limner.errors import InputError
from limner.io import sha256_of, sweep, write_atomically
from limner.typing import Array, Float, Int


@dataclass(frozen=True)
class Rows:
    """Features of some images: rows of an array, or a part of each row.

    Attributes:
        features: (N, ...), usually memory-mapped.
        rows: indices of the rows.
        shape: of the result per row, (D,) or (L, D).
        start: index of the first value of a flat row.
        projection: principal components to project on, if any.
    """

    features: Float[Array, "N *_ F"]
    rows: Int[Array, " M"]
    shape: tuple[int, ...]
    start: int = 0
    projection: Projection | None = None

    def blocks(self) -> Iterator[Float[Array, "B *_ D"]]:
        """The rows, in blocks of bounded memory."""
        end = self.start + math.prod(self.shape)
        for block in blocks(self.features, self.rows):
            part = block.reshape(len(block), -1)[:, self.start : end]
            part = part.reshape(len(block), *self.shape)
            yield self.projection.project(part) if self.projection else part


Features = dict[str, dict[str, list[list[Rows]]]]
"""{part: {split: rows of the images, and of each of their views}}.

Parts are "features" and, if there are both kinds, "grid"."""


def write_dataset(
    out: Path,
    references: References,
    how: TokenConfig,
    features: Features,
    dtype: np.dtype[Any],
    info: DatasetInfo,
    projections: Mapping[str, Projection] | None = None,
    sha256s: Mapping[str, str] | None = None,
) -> None:
    """Write all files of a dataset.

    Args:
        out: the folder.
        references: raw captions of every image; a split has at least one image.
        how: conversion of captions to ids.
        features: in the order of `references`.
        dtype: of the features on disk.
        info: further contents of dataset.json: backbone, sources, fingerprint and the like.
        projections: {part: principal components of its features}.
        sha256s: {image id: SHA-256 of the file}, if known.

    Raises:
        InputError: if the vocabulary would be empty.
        LimnerError: if the disk is full.
    """
    vocabulary = how.vocabulary(references)
    arrays = how.encode(references, vocabulary)
    (out / "dataset.json").unlink(missing_ok=True)  # of a damaged dataset, which is replaced
    names = ["vocab.json", "references.json", "captions.h5"]
    write_atomically(out / "vocab.json", vocabulary.to_json())
    write_atomically(out / "references.json", json.dumps(references, ensure_ascii=False))
    with h5_writer(out / "captions.h5") as file:
        for key, array in arrays.items():
            file.create_dataset(key, data=array)
    for part, splits in features.items():
        for split, views in splits.items():
            for view, pieces in enumerate(views):
                names.append(view_file(part, view) if view else f"{split}_{part}.h5")
                _write_features(out / names[-1], pieces, dtype)
    for part, projection in (projections or {}).items():
        names.append(f"{part}_pca.safetensors")
        projection.save(out / names[-1])
    for split, images in references.items():
        names.append(f"{split}_images.txt")
        write_atomically(out / names[-1], "".join(f"{image}\n" for image in images))
        known = [(sha256s or {}).get(image, "") for image in images]
        if any(known):
            names.append(f"{split}_sha256.txt")
            write_atomically(out / names[-1], "".join(f"{sha256}\n" for sha256 in known))
    whole = msgspec.structs.replace(
        info,
        limner_version=version("limner"),
        splits={
            split: SplitInfo(len(images), len(arrays[f"{split}_captions"]))
            for split, images in references.items()
        },
        vocabulary_sha256=vocabulary.sha256,
        tokenizer="limner.vocabulary.tokenize",
        min_count=how.min_count,
        max_words=how.max_words,
        files={name: _info_of(out / name) for name in sorted(names)},
    )
    sweep(out, [*names, "dataset.json"])
    write_atomically(out / "dataset.json", whole.to_json())


def _info_of(file: Path) -> FileInfo:
    """Length and, unless it is memory-mapped, SHA-256 of a file."""
    is_mapped = file.suffix == ".h5" and file.name != "captions.h5"
    return FileInfo(file.stat().st_size, None if is_mapped else sha256_of(file))


def _write_features(path: Path, pieces: Sequence[Rows], dtype: np.dtype[Any]) -> None:
    """Write features contiguously, by blocks."""
    count = sum(len(piece.rows) for piece in pieces)
    shape = pieces[0].shape
    if pieces[0].projection:
        shape = (*shape[:-1], pieces[0].projection.dim)
    with h5_writer(path) as file:
        features = file.create_dataset("features", (count, *shape), dtype)
        first = 0
        for block in _all_blocks(pieces):
            with np.errstate(over="ignore"):
                kept = block.astype(dtype)
            if not np.isfinite(kept).all():
                raise InputError(
                    f"{path}: numbers beyond the range of {dtype.name}; use `dtype` float32"
                )
            features[first : first + len(block)] = kept
            first += len(block)


def _all_blocks(pieces: Sequence[Rows]) -> Iterator[Float[Array, "B *_ D"]]:
    return (block for piece in pieces for block in piece.blocks())


def project(features: Features, dim: int) -> tuple[Features, dict[str, Projection]]:
    """Project features on `dim` principal components of the training images, each part separately.

    Raises:
        InputError: if features have fewer than `dim` dimensions.
    """
    projected: Features = {}
    projections = {}
    for part, splits in features.items():
        found = fit(partial(_all_blocks, splits["train"][0]), dim)
        projections[part] = found
        projected[part] = {
            split: [[replace(rows, projection=found) for rows in pieces] for pieces in views]
            for split, views in splits.items()
        }
    return projected, projections
