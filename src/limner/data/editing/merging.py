"""Merging of datasets: splits are joined by name, and the vocabulary is rebuilt."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from limner.backbones.info import same_features
from limner.data.blocks import blocks
from limner.data.dataset import Dataset
from limner.data.editing.selection import Chosen, check_free, write_selection
from limner.data.facts import features_title
from limner.data.preparing.duplicates import describe_same, find_same, named
from limner.data.tokens import TokenConfig
from limner.errors import InputError


@dataclass
class _Joined:
    """The plan of the merged dataset.

    Attributes:
        selection: {split: {name: image}}.
        owner: {name: (split, content)}.
        united: images in two datasets.
        moved: images in different splits of two datasets.
        renamed: new names of different images with the same name.
    """

    selection: dict[str, dict[str, Chosen]] = field(default_factory=dict)
    owner: dict[str, tuple[str, str]] = field(default_factory=dict)
    united: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    def add(self, one: Chosen, content: str) -> None:
        """Add an image, or its captions if it exists under the same name."""
        first, there = self.owner.get(one.id, ("", ""))
        if there == content:
            captions = self.selection[first][one.id].captions
            captions += [text for text in dict.fromkeys(one.captions) if text not in captions]
            self.united.append(one.id)
            if first != one.split:
                self.moved.append(f"{one.id} ({first}, not {one.split})")
            return
        name = self._free(one)
        if name != one.id:
            self.renamed.append(name)
        self.owner[name] = one.split, content
        self.selection.setdefault(one.split, {})[name] = one

    def _free(self, one: Chosen) -> str:
        """A unique name."""
        name, number = one.id, 1
        while name in self.owner:
            folder = one.dataset.path.resolve().name
            name = f"{folder}{f'-{number}' if number > 1 else ''}/{one.id}"
            number += 1
        return name


def merge(
    datasets: Sequence[Dataset],
    out: Path,
    words: TokenConfig,
    report: Callable[[str], None] = print,
) -> Dataset:
    """Merge datasets.

    An image in two datasets has the captions of both. A different image with the same name is
    renamed to FOLDER/NAME, with the folder of its dataset.

    Args:
        datasets: with raw captions, and features of the same kind.
        out: the new folder.
        words: conversion of captions to ids.
        report: called with messages, for example about images in several splits.

    Returns:
        The merged dataset.

    Raises:
        InputError: if their features differ in kind.
        LimnerError: if the disk is full.
    """
    check_free(out)
    for other in datasets[1:]:
        _check_features(datasets[0], other)
    joined = _Joined()
    for dataset, contents in zip(datasets, _contents(datasets), strict=True):
        for name, split in dataset.splits.items():
            for row, image in enumerate(split.image_ids):
                captions = list(dataset.references[name][image])
                joined.add(Chosen(dataset, name, row, captions), next(contents))
    same = find_same((split, name, content) for name, (split, content) in joined.owner.items())
    for line in (
        *named("the same image in both, captions united", joined.united),
        *named("the same image in another split, left in the first", joined.moved),
        *named("different images with the same name, renamed", joined.renamed),
        *describe_same(same),
    ):
        report(line)
    return write_selection(out, datasets, joined.selection, words)


def _check_features(first: Dataset, other: Dataset) -> None:
    titles = [features_title(dataset) for dataset in (first, other)]
    if not same_features(first.info.backbone, other.info.backbone) or titles[0] != titles[1]:
        raise InputError(
            f"{other.path}: {titles[1]}, and {first.path} has {titles[0]}: other features; prepare "
            "both with the same backbone and options"
        )


def _contents(datasets: Sequence[Dataset]) -> list[Iterator[str]]:
    """A hash of each image of each dataset, in bounded memory.

    It is that of the file or, if unknown in a dataset, of the features.
    """
    splits = [list(dataset.splits.values()) for dataset in datasets]
    if all(all(split.sha256s) for several in splits for split in several):
        return [(sha256 for split in several for sha256 in split.sha256s) for several in splits]
    return [
        (
            hashlib.sha256(row.tobytes()).hexdigest()
            for split in several
            for block in blocks(split.features)
            for row in block
        )
        for several in splits
    ]
