"""A part of a dataset: so many pictures of a split by chance, or those that a list names."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np

from limner.data.dataset import Dataset
from limner.data.editing.picking import Pick, check_free, write_picked
from limner.data.preparing.duplicates import named
from limner.data.tokens import TokenConfig
from limner.errors import InputError


def subset(
    dataset: Dataset,
    out: Path,
    words: TokenConfig,
    *,
    counts: Mapping[str, int] | None = None,
    images: Collection[str] | None = None,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> Dataset:
    """Write a part of a dataset, features, views and grid with it.

    Args:
        dataset: with raw captions.
        out: the new folder.
        words: how captions become ids.
        counts: {split: pictures}, drawn by chance; splits that are not named stay as they are, and
            0 leaves one out.
        images: ids to keep; names that are not in the dataset are reported.
        seed: of the draw.
        report: takes a line for the user.

    Raises:
        InputError: if a split has fewer pictures, or none to train on are left.
    """
    check_free(out)
    rows = {name: np.arange(len(split.image_ids)) for name, split in dataset.splits.items()}
    if images is not None:
        wanted = set(images)
        there = {image for split in dataset.splits.values() for image in split.image_ids}
        for line in named(f"not in {dataset.path}", [i for i in images if i not in there]):
            report(line)
        for name, split in dataset.splits.items():
            rows[name] = np.flatnonzero([image in wanted for image in split.image_ids])
    for name, count in (counts or {}).items():
        _, split = dataset.split(name)
        if count > len(rows[name]):
            raise InputError(
                f"--split {name}={count}: {dataset.path} has {len(rows[name]):,} such pictures in "
                f"{name}"
            )
        drawn = np.random.default_rng([seed, *name.encode()]).permutation(rows[name])
        rows[name] = np.sort(drawn[:count])
    rows = {name: chosen for name, chosen in rows.items() if len(chosen)}
    if "train" not in rows:
        raise InputError(f"{dataset.path}: no picture to train on would be left in {out}")
    references = {
        name: {
            image: dataset.references[name][image]
            for image in (dataset.splits[name].image_ids[row] for row in chosen)
        }
        for name, chosen in rows.items()
    }
    return write_picked(out, [Pick(dataset, rows)], references, words)
