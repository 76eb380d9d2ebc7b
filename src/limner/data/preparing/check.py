"""Validation of a source before its preparation.

limner check photos/        counts, missing and unreadable images, duplicates, vocabulary, disk
space
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from limner.data.formats import Source
from limner.data.preparing.duplicates import (
    NAMED,
    Same,
    describe_same,
    find_same,
    leaks,
    named,
    repeats,
)
from limner.data.preparing.scan import Progress, Seen, scan
from limner.data.preparing.scripts import Mangled, mangled
from limner.images.limits import USUAL_LIMITS, ImageLimits
from limner.vocabulary import tokenize

THRESHOLDS = (1, 2, 3, 5, 10, 20)
"""Minimum counts for which the vocabulary is shown."""


@dataclass(frozen=True)
class Words:
    """The vocabulary with a minimum count.

    Attributes:
        min_count: minimum count of a training token; rarer ones become `<UNK>`.
        words: number of words.
        unknown: share of `<UNK>` in the training captions.
        unknown_elsewhere: the same in the other splits; None if there are none.
    """

    min_count: int
    words: int
    unknown: float
    unknown_elsewhere: float | None


@dataclass(frozen=True)
class Findings:
    """The result of a check.

    Attributes:
        source: the images and captions.
        splits: {split: ids of its readable images with captions}.
        seen: result of the scan of every captioned image; empty before the scan.
        without_captions: ids of images without a caption.
        without_images: ids in captions or splits without an image.
        unreadable: {id: why the image cannot be read}.
    """

    source: Source
    splits: dict[str, list[str]]
    seen: dict[str, Seen]
    without_captions: list[str]
    without_images: list[str]
    unreadable: dict[str, str]

    def __repr__(self) -> str:
        splits = ", ".join(f"{name}: {len(ids):,} images" for name, ids in self.splits.items())
        problems = self.without_captions, self.without_images, self.unreadable
        return f"Findings({splits}; {sum(map(len, problems)):,} problems)"

    @property
    def references(self) -> dict[str, dict[str, list[str]]]:
        """{split: {image id: raw captions}}"""
        captions = self.source.captions
        return {split: {i: captions[i] for i in images} for split, images in self.splits.items()}

    @cached_property
    def same(self) -> list[Same]:
        """Groups of images with equal bytes: ids by split."""
        return find_same(
            (split, image, self.seen[image].sha256)
            for split, images in self.splits.items()
            for image in images
            if image in self.seen
        )

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """Number of images and captions of each split."""
        return {
            split: {"images": len(images), "captions": len(list(self._texts(split)))}
            for split, images in self.splits.items()
        }

    @property
    def unsplit(self) -> list[str]:
        """Images with captions that are in no split."""
        named = {image for images in self.source.splits.values() for image in images}
        there = self.source.image_files.keys() | set(self.source.feature_ids)
        both = there & self.source.captions.keys()
        return sorted(both - named) if named else []

    @cached_property
    def wordless(self) -> list[str]:
        """Images with a caption without words."""
        return [
            image
            for images in self.references.values()
            for image, texts in images.items()
            if not all(map(tokenize, texts))
        ]

    @cached_property
    def lengths(self) -> Counter[int]:
        """Number of captions by their number of words."""
        return Counter(len(words) for split in self.splits for words in self._words(split))

    @cached_property
    def vocabulary(self) -> list[Words]:
        """The vocabulary for each of `THRESHOLDS`."""
        counts = Counter(word for words in self._words("train") for word in words)
        others = [split for split in self.splits if split != "train"]
        elsewhere = Counter(w for split in others for words in self._words(split) for w in words)
        return [_words(counts, elsewhere, min_count) for min_count in THRESHOLDS]

    @cached_property
    def mangled(self) -> list[Mangled]:
        """Scripts that are not tokenized into words."""
        return mangled(text for split in self.splits for text in self._texts(split))

    def _texts(self, split: str) -> Iterable[str]:
        return (text for i in self.splits.get(split, ()) for text in self.source.captions[i])

    def _words(self, split: str) -> Iterable[list[str]]:
        return (tokenize(text) for text in self._texts(split))

    def to_json(self) -> dict[str, Any]:
        """The findings as a JSON-able dict."""
        source = self.source
        return {
            "source": str(source.path),
            "format": source.format,
            "taken_for": source.title,
            "can_be_prepared": "train" in self.splits,
            "splits": self.counts,
            "problems": source.problems,
            "images_without_captions": self.without_captions,
            "captions_without_images": self.without_images,
            "images_in_no_split": self.unsplit,
            "images_with_captions_without_words": self.wordless,
            "unreadable": self.unreadable,
            "same_image_across_splits": leaks(self.same),
            "same_image_within_a_split": repeats(self.same),
            "caption_lengths": dict(sorted(self.lengths.items())),
            "vocabulary": [asdict(one) for one in self.vocabulary],
            "mangled": [{**asdict(one), "advice": str(one)} for one in self.mangled],
        }


def find(
    source: Source,
    splits: Mapping[str, Sequence[str]],
    progress: Progress,
    limits: ImageLimits = USUAL_LIMITS,
) -> Findings:
    """Check a source, and scan its images.

    Args:
        source: images and captions.
        splits: {split: image ids}.
        progress: called with the name of the stage, the number of images done, and of all.
        limits: limits on the images.

    Returns:
        The findings.
    """
    image_files = {
        image: source.image_files[image]
        for images in splits.values()
        for image in images
        if image in source.captions and image in source.image_files
    }
    return findings_of(
        source, splits, scan(image_files, partial(progress, "scanning images"), limits)
    )


def findings_of(
    source: Source, splits: Mapping[str, Sequence[str]], seen: Mapping[str, Seen]
) -> Findings:
    """The findings, given the results of a scan."""
    named = dict.fromkeys(image for images in splits.values() for image in images)
    there = source.image_files.keys() | set(source.feature_ids)
    unreadable = {i: seen[i].problem or "" for i in named if i in seen and seen[i].problem}
    kept = {
        name: [i for i in images if i in source.captions and i in there and i not in unreadable]
        for name, images in splits.items()
    }
    return Findings(
        source,
        {name: images for name, images in kept.items() if images},
        dict(seen),
        sorted(there - source.captions.keys()),
        [image for image in dict.fromkeys([*named, *source.captions]) if image not in there],
        unreadable,
    )


def _words(counts: Counter[str], elsewhere: Counter[str], min_count: int) -> Words:
    known = {word for word, count in counts.items() if count >= min_count}
    shares = []
    for some in (counts, elsewhere):
        unknown = sum(count for word, count in some.items() if word not in known)
        shares.append(unknown / some.total() if some else None)
    return Words(min_count, len(known), shares[0] or 0.0, shares[1])


def summary(findings: Findings) -> list[str]:
    """Lines for the terminal: counts, problems with names, and the vocabulary."""
    lines = [
        f"{split}: {count['images']:,} images, {count['captions']:,} captions"
        for split, count in findings.counts.items()
    ]
    lines += findings.source.problems
    lines += named("images without captions", findings.without_captions)
    lines += named("captions without images", findings.without_images)
    lines += named("images that are in no split, and left out", findings.unsplit)
    lines += named("images with captions in which no word is found", findings.wordless)
    lines += trouble(findings)
    if findings.lengths:
        lengths = np.array(sorted(findings.lengths.elements()))
        low, middle, high = np.percentile(lengths, [5, 50, 95]).astype(int)
        lines.append(
            f"words per caption: median {middle}, 5th to 95th percentile {low} to {high}, "
            f"maximum {lengths[-1]}"
        )
        lines += _vocabulary(findings.vocabulary)
    return lines + [str(one) for one in findings.mangled]


def trouble(findings: Findings) -> list[str]:
    """Lines for the terminal about unreadable and duplicate images."""
    lines = [f"{reason} (left out)" for reason in list(findings.unreadable.values())[:NAMED]]
    if len(findings.unreadable) > NAMED:
        lines.append(f"and {len(findings.unreadable) - NAMED:,} more images that cannot be read")
    return lines + describe_same(findings.same)


def _vocabulary(words: Sequence[Words]) -> list[str]:
    """A table with one line per minimum count."""
    others = words[0].unknown_elsewhere is not None
    head = f"{'minimum count':>13} {'words':>9} {'<UNK> in train':>15}"
    return [head + "  <UNK> elsewhere" * others] + [
        f"{one.min_count:>13} {one.words:>9,} {one.unknown:>15.1%}"
        + (f"{one.unknown_elsewhere:>17.1%}" if one.unknown_elsewhere is not None else "")
        for one in words
    ]
