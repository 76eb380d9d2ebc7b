"""Several datasets as one: their splits joined by name, their words counted together."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from limner.backbones.info import same_features
from limner.data.blocks import blocks
from limner.data.dataset import Dataset
from limner.data.editing.picking import Pick, check_free, write_picked
from limner.data.facts import features_title
from limner.data.preparing.duplicates import find_same, named, tell_same
from limner.data.tokens import TokenConfig
from limner.errors import InputError


@dataclass
class _Joined:
    """What the merged dataset will be.

    Attributes:
        references: {split: {name: captions}}.
        owner: {name: its split and what its features are}.
        contents: (split, name, what its features are) of every picture.
        united: pictures that two datasets have.
        moved: pictures that two datasets have in different splits.
        renamed: other pictures of a name that is taken, as they are called now.
    """

    references: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    owner: dict[str, tuple[str, str]] = field(default_factory=dict)
    contents: list[tuple[str, str, str]] = field(default_factory=list)
    united: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    def add(self, dataset: Dataset) -> Pick:
        """Add a dataset's pictures; returns the rows that are new."""
        rows: dict[str, list[int]] = {}
        renamed = {}
        for split in dataset.splits:
            for row, (image, content) in enumerate(_contents(dataset, split)):
                texts = dataset.references[split][image]
                if self.owner.get(image, ("", ""))[1] == content:
                    self._unite(image, split, texts)
                    continue
                name = self._free(image, dataset)
                if name != image:
                    renamed[name] = image
                self.owner[name] = split, content
                self.contents.append((split, name, content))
                self.references.setdefault(split, {})[name] = list(texts)
                rows.setdefault(split, []).append(row)
        self.renamed += renamed
        return Pick(dataset, {split: np.array(some) for split, some in rows.items()}, renamed)

    def _unite(self, image: str, split: str, texts: Sequence[str]) -> None:
        """One picture of one name: its captions once each, in the split that had it first."""
        first, _ = self.owner[image]
        captions = self.references[first][image]
        captions += [text for text in dict.fromkeys(texts) if text not in captions]
        self.united.append(image)
        if first != split:
            self.moved.append(f"{image} ({first}, not {split})")

    def _free(self, image: str, dataset: Dataset) -> str:
        """A name that no other picture has."""
        name, number = image, 1
        while name in self.owner:
            folder = dataset.path.resolve().name
            name = f"{folder}{f'-{number}' if number > 1 else ''}/{image}"
            number += 1
        return name


def merge(
    datasets: Sequence[Dataset],
    out: Path,
    words: TokenConfig,
    report: Callable[[str], None] = print,
) -> Dataset:
    """Write several datasets as one.

    A picture that two of them have under one name gets the captions of both. Where a name means
    different pictures, the second is called after its dataset's folder too, FOLDER/NAME.

    Args:
        datasets: with raw captions, and features of one kind.
        out: the new folder.
        words: how captions become ids.
        report: takes a line for the user, e.g. names of pictures that are in several splits.

    Raises:
        InputError: if their features are not of one kind.
        LimnerError: if the disk is full.
    """
    check_free(out)
    for other in datasets[1:]:
        _check_features(datasets[0], other)
    joined = _Joined()
    picks = [joined.add(dataset) for dataset in datasets]
    for line in (
        *named("the same picture in both, captions united", joined.united),
        *named("the same picture in another split, left in the first", joined.moved),
        *named("another picture of a name that is taken, renamed", joined.renamed),
        *tell_same(find_same(joined.contents)),
    ):
        report(line)
    return write_picked(out, picks, joined.references, words)


def _check_features(first: Dataset, other: Dataset) -> None:
    titles = [features_title(dataset) for dataset in (first, other)]
    if not same_features(first.info.backbone, other.info.backbone) or titles[0] != titles[1]:
        raise InputError(
            f"{other.path}: {titles[1]}, and {first.path} has {titles[0]}: other features; prepare "
            "both with the same backbone and options"
        )


def _contents(dataset: Dataset, split: str) -> Iterator[tuple[str, str]]:
    """Names, and what tells rows of features apart, in bounded memory."""
    part = dataset.splits[split]
    rows = (row for block in blocks(part.features) for row in block)
    for image, row in zip(part.image_ids, rows, strict=True):
        yield image, hashlib.sha256(row.tobytes()).hexdigest()
