"""Subset of a dataset: a random sample of each split, or the images of a list."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta, field

from limner.config import MANY, Config, Seed
from limner.data.dataset import Dataset
from limner.data.editing.selection import Chosen, check_free, write_selection
from limner.data.formats import read_text
from limner.data.preparing.duplicates import named
from limner.data.tokens import TokenConfig
from limner.errors import InputError


class SubsetConfig(Config, frozen=True, kw_only=True):
    """Options of a subset; splits that are not named are kept completely."""

    split: Annotated[
        dict[str, Annotated[int, Meta(ge=0, le=MANY)]],
        Meta(
            description="Number of random images of a split; 0 omits it; repeat for several.",
            extra={"metavar": "NAME=COUNT", "expected": "NAME=COUNT, e.g. train=1000"},
        ),
    ] = field(default_factory=dict)
    images: Annotated[
        Path | None, Meta(description="File of the images to keep, one name per line.")
    ] = None
    seed: Annotated[Seed, Meta(description="Random seed for --split.")] = 0

    def without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        """See `Config.without_effect`."""
        yield not any(self.split.values()), ("seed",), "`split` unset"


def subset(
    dataset: Dataset,
    out: Path,
    words: TokenConfig,
    config: SubsetConfig,
    report: Callable[[str], None] = print,
) -> Dataset:
    """Write a subset of a dataset, with its features.

    Args:
        dataset: with raw captions.
        out: the new folder.
        words: conversion of captions to ids.
        config: the selection.
        report: called with each message.

    Returns:
        The new dataset.

    Raises:
        InputError: if a split has fewer images, or none are left for training.
    """
    check_free(out)
    rows = {name: np.arange(len(split.image_ids)) for name, split in dataset.splits.items()}
    if config.images:
        images = [line.strip() for line in read_text(config.images).split("\n") if line.strip()]
        wanted = set(images)
        there = {image for split in dataset.splits.values() for image in split.image_ids}
        for line in named(f"not in {dataset.path}", [i for i in images if i not in there]):
            report(line)
        for name, split in dataset.splits.items():
            rows[name] = np.flatnonzero([image in wanted for image in split.image_ids])
    for name, count in config.split.items():
        _, split = dataset.split(name)
        if count > len(rows[name]):
            raise InputError(
                f"`split` {name}={count}: {dataset.path} has {len(rows[name]):,} such images in "
                f"{name}"
            )
        drawn = np.random.default_rng([config.seed, *name.encode()]).permutation(rows[name])
        rows[name] = np.sort(drawn[:count])
    if not len(rows["train"]):
        raise InputError(f"{dataset.path}: no image to train on would be left in {out}")
    selection = {
        name: {
            image: Chosen(dataset, name, row, dataset.references[name][image])
            for row in chosen.tolist()
            for image in [dataset.splits[name].image_ids[row]]
        }
        for name, chosen in rows.items()
        if len(chosen)
    }
    return write_selection(out, [dataset], selection, words)
