"""Splits of images: by files, by file names, or by shares."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from limner.data.formats.encoding import read_text
from limner.errors import InputError

_SPELLINGS = {"training": "train", "validation": "val", "valid": "val", "testing": "test"}
_NAME = re.compile(
    r"(?<![A-Za-z])(?i:training|train|validation|valid|val|dev|testing|test)(?![a-z])"
)


def split_name(written: str) -> str:
    """The normalized name of a split.

    >>> [split_name(name) for name in ("Train", "validation", "valid", "dev", "fold 3")]
    ['train', 'val', 'val', 'dev', 'fold 3']
    """
    name = written.strip().lower()
    return _SPELLINGS.get(name, name)


def split_of_file(name: str) -> str | None:
    """The split in the name of a file or folder.

    >>> [split_of_file(name) for name in ("Flickr_8k.devImages.txt", "captions_val2014.json")]
    ['dev', 'val']
    >>> split_of_file("contest.csv")
    """
    found = {split_name(written) for written in _NAME.findall(name)}
    return found.pop() if len(found) == 1 else None


def by_split(files: Iterable[Path]) -> dict[str, Path] | None:
    """Files by the splits in their names; None unless each has a different one.

    >>> found = by_split([Path("train.csv"), Path("captions_valid.csv")])
    >>> {split: file.name for split, file in found.items()}
    {'train': 'train.csv', 'val': 'captions_valid.csv'}
    >>> by_split([Path("train.csv"), Path("captions.csv")])
    """
    found: dict[str, Path] = {}
    for file in files:
        split = split_of_file(file.name)
        if split is None or split in found:
            return None
        found[split] = file
    return found


def read_names(path: Path) -> list[str]:
    """Read a file with one name per line.

    Raises:
        InputError: if it cannot be read.
    """
    return [line.strip() for line in read_text(path).split("\n") if line.strip()]


def read_split_files(files: Mapping[str, Path]) -> dict[str, list[str]]:
    """Read splits from files with one image name per line.

    Raises:
        InputError: if there is no `train`, or an image is in two splits.
    """
    splits: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    for name, path in files.items():
        splits[name] = list(dict.fromkeys(map(posixpath.normpath, read_names(path))))
        for image in splits[name]:
            if image in owner:
                raise InputError(f"{path}: {image} is in the split {owner[image]} already")
            owner[image] = name
    if "train" not in splits:
        raise InputError("no split train; give one with `split` train=FILE")
    return splits


def split_by_ratio(images: list[str], ratio: dict[str, float], seed: int) -> dict[str, list[str]]:
    """Divide images randomly among splits.

    Args:
        images: their ids.
        ratio: {split: share}; each split with a share has at least one image, and train the rest.
        seed: random seed.

    >>> sizes = split_by_ratio([f"{i}.jpg" for i in range(10)], {"train": 8, "dev": 2}, seed=0)
    >>> {name: len(images) for name, images in sizes.items()}
    {'train': 8, 'dev': 2}
    """
    order = [sorted(images)[i] for i in np.random.default_rng(seed).permutation(len(images))]
    total = sum(ratio.values())
    splits: dict[str, list[str]] = {}
    for name, share in ratio.items():
        if name != "train":
            count = max(round(len(images) * share / total), 1) if share else 0
            splits[name], order = order[:count], order[count:]
    if not order:
        raise InputError(
            f"{len(images)} images are too few for a split; name the splits with `split`, "
            "or give train a larger share with `ratio`"
        )
    return {"train": order, **{name: kept for name, kept in splits.items() if kept}}
