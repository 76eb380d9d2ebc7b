"""A new dataset from images of prepared datasets, without running the network.

The vocabulary is rebuilt from the raw captions.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from limner.backbones.pca import Projection
from limner.config import sha256_of_json
from limner.data.dataset import Dataset
from limner.data.opening import open_dataset
from limner.data.origins import noted
from limner.data.tokens import References, TokenConfig
from limner.data.writing import Rows, write_dataset
from limner.errors import InputError


class Chosen(NamedTuple):
    """An image of the new dataset: a row of an existing one."""

    dataset: Dataset
    split: str
    row: int
    captions: list[str]

    @property
    def id(self) -> str:
        """Its name in the existing dataset."""
        return self.dataset.splits[self.split].image_ids[self.row]


Selection = Mapping[str, Mapping[str, Chosen]]
"""{split: {name: image}}; those of one dataset are consecutive."""


def open_captioned(path: Path) -> Dataset:
    """Open a dataset that has raw captions.

    Raises:
        InputError: as `open_dataset` does; or if it has none, as the course's folder.
    """
    dataset = open_dataset(path)
    if not dataset.references:
        raise InputError(
            f"{path}: the course's folder has no raw captions, only word ids; "
            "prepare a dataset from images and captions"
        )
    return dataset


def check_free(out: Path) -> None:
    """Raise InputError if a dataset cannot be written here."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: a file; `out` takes a folder")
    if (out / "dataset.json").exists() or (out / "partial").is_dir():
        raise InputError(
            f"{out}: contains a dataset already, or a part of one; choose another `out`, or delete "
            "it first"
        )


def same_tokens(dataset: Dataset) -> TokenConfig:
    """The conversion of a dataset's captions to ids."""
    usual = TokenConfig()
    return TokenConfig(
        min_count=dataset.info.min_count or usual.min_count,
        max_words=dataset.info.max_words or usual.max_words,
        tokens="char" if dataset.vocabulary.of_characters else "word",
    )


def write_selection(
    out: Path, datasets: Sequence[Dataset], selection: Selection, words: TokenConfig
) -> Dataset:
    """Write images of one or several datasets as a new one, in bounded memory.

    Args:
        out: the new folder.
        datasets: the datasets of the images, with features of the same kind.
        selection: the images.
        words: conversion of captions to ids.

    Raises:
        InputError: if the vocabulary would be empty.
        LimnerError: if the disk is full.
    """
    first, dtype = datasets[0], datasets[0].splits["train"].features.dtype
    backbone = first.info.backbone
    references = {
        split: {name: one.captions for name, one in images.items()}
        for split, images in selection.items()
    }
    info = msgspec.structs.replace(
        noted(
            {
                split: [(name, *one.dataset.origins.place(one.id)) for name, one in images.items()]
                for split, images in selection.items()
            }
        ),
        fingerprint=_fingerprint(datasets, selection, references, words),
        backbone=backbone,
        features=first.info.features or ("grid" if first.has_grid else "pooled"),
        views=len(first.splits["train"].views),
        skipped={
            image: why
            for dataset in reversed(datasets)
            for image, why in dataset.info.skipped.items()
        },
    )
    features = {
        part: {split: _pieces(images.values(), part) for split, images in selection.items()}
        for part in first.parts
    }
    projections = {
        part: Projection.load(first.path / f"{part}_pca.safetensors")
        for part in (backbone.pca if backbone else ())
    }
    sha256s = {
        name: one.dataset.splits[one.split].sha256s[one.row]
        for images in selection.values()
        for name, one in images.items()
    }
    write_dataset(out, references, words, features, dtype, info, projections, sha256s)
    return open_dataset(out)


def _pieces(images: Iterable[Chosen], part: str) -> list[list[Rows]]:
    """Rows of the images of a split, and of each of their views, dataset by dataset."""
    pieces = []
    for _, run in groupby(images, key=lambda one: id(one.dataset)):
        several = list(run)
        rows = np.array([one.row for one in several])
        split = several[0].dataset.parts[part][several[0].split]
        pieces.append([Rows(arrays, rows, arrays.shape[1:]) for arrays in split.arrays])
    return [list(views) for views in zip(*pieces, strict=True)]


def _fingerprint(
    datasets: Sequence[Dataset], selection: Selection, references: References, words: TokenConfig
) -> str:
    """A hash of all inputs of the new dataset."""
    rows: dict[int, dict[str, list[int]]] = {id(dataset): {} for dataset in datasets}
    for split, images in selection.items():
        for one in images.values():
            rows[id(one.dataset)].setdefault(split, []).append(one.row)
    taken = [[dataset.fingerprint, rows[id(dataset)]] for dataset in datasets]
    return sha256_of_json([taken, references, words.facts])
