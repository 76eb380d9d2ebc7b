"""Several datasets as one: their splits joined by name, their words counted together."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from limner.backbones.info import same_features
from limner.data.blocks import blocks
from limner.data.dataset import Dataset
from limner.data.editing.selection import Chosen, check_free, write_selection
from limner.data.facts import features_title
from limner.data.preparing.duplicates import find_same, named, tell_same
from limner.data.tokens import TokenConfig
from limner.errors import InputError


@dataclass
class _Joined:
    """What the merged dataset will be.

    Attributes:
        selection: {split: {name: image}}.
        owner: {name: its split and content}.
        united: images that two datasets have.
        moved: images that two datasets have in different splits.
        renamed: other images of a name that is taken, as they are called now.
    """

    selection: dict[str, dict[str, Chosen]] = field(default_factory=dict)
    owner: dict[str, tuple[str, str]] = field(default_factory=dict)
    united: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    def add(self, one: Chosen, content: str) -> None:
        """Add an image, or its captions where it is there under the same name."""
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
        """A name that no other image has."""
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
    """Write several datasets as one.

    An image that two of them have under one name gets the captions of both. Where a name means
    different images, the second is called after its dataset's folder too, FOLDER/NAME.

    Args:
        datasets: with raw captions, and features of one kind.
        out: the new folder.
        words: how captions become ids.
        report: takes a line for the user, e.g. names of images that are in several splits.

    Raises:
        InputError: if their features are not of one kind.
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
        *named("another image of a name that is taken, renamed", joined.renamed),
        *tell_same(same),
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
    """For each dataset, what tells its images apart, in bounded memory.

    That is the SHA-256 of their bytes; of their features where it is not known in all datasets.
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
