"""A page of what `limner check` found: what is wrong first, then words, then some images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limner.data.preparing.check import Findings
from limner.data.preparing.cost import Cost
from limner.data.preparing.duplicates import leaks, repeats
from limner.report.charts import Series, length_chart
from limner.report.page import write_page

UNFOLDED = 10
"""Names that a list shows before it is folded."""

SHOWN = 36
"""Thumbnails of a kind, at most."""

ABREAST = 4
"""Thumbnails of one image that is there several times, at most."""

CARDS = 24
"""Images with their captions, drawn at random."""


@dataclass(frozen=True)
class Trouble:
    """One kind of trouble.

    Attributes:
        heading: what it is.
        note: what it means.
        names: which images or captions have it; where images are shown, the others.
        groups: images in rows, each an id with its label.
    """

    heading: str
    note: str
    names: Sequence[str]
    groups: Sequence[Sequence[tuple[str, str]]] = ()


def write_check(path: Path, findings: Findings, cost: Cost | None = None) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        findings: what was found.
        cost: what preparing takes, where it is known.

    Raises:
        LimnerError: if it cannot be written.
    """
    source = findings.source
    has_images = source.features is None
    images = [image for several in findings.splits.values() for image in several]
    drawn = np.random.default_rng(0).permutation(images)[:CARDS].tolist()
    lengths = list(findings.lengths.elements())
    write_page(
        path,
        "check.html",
        find=source.pictures.__getitem__ if has_images else None,
        title=source.path.resolve().name or str(source.path),
        source=source,
        splits=findings.counts,
        takes=(cost or "not known") if has_images else "hardly any time: the features are there",
        trouble=[one for one in _trouble(findings) if one.names or one.groups],
        unfolded=UNFOLDED,
        lengths=length_chart([Series("captions", "people", lengths)]) if lengths else None,
        vocabulary=findings.vocabulary,
        cards=[(i, [[(text, False)] for text in source.captions[i]]) for i in drawn],
    )


def _trouble(findings: Findings) -> Iterator[Trouble]:
    """Every kind of trouble, whether it is there or not."""
    yield Trouble("Noted while reading", "", findings.source.problems)
    unreadable = list(findings.unreadable.values())
    yield _counted("Pictures that cannot be read", "They are left out.", unreadable)
    across = [
        [(image, f"{image} ({split})") for split, images in ids.items() for image in images]
        for ids in leaks(findings.same)
    ]
    note = "A model is tested on what it has learnt by heart. Take it out of one of them."
    yield _grouped("The same picture in several splits", note, across)
    within = [[(image, image) for image in images] for images in repeats(findings.same)]
    yield _grouped("The same picture twice in a split", "", within)
    note = f"No picture of such a name is in {findings.source.root}."
    yield _counted("Captions without pictures", note, findings.without_pictures)
    what, shown = ("Pictures", SHOWN) if findings.source.features is None else ("Features", 0)
    yield _counted(
        f"{what} without captions", "They are left out.", findings.without_captions, shown
    )
    mangled = [f"{one}. For example: {one.example}" for one in findings.mangled]
    yield _counted("Writing whose words are not found", "", mangled)


def _counted(heading: str, note: str, names: Sequence[str], shown: int = 0) -> Trouble:
    """The first so many names are of images that are shown."""
    groups = [[(image, image) for image in names[:shown]]] if names[:shown] else []
    return Trouble(f"{heading}: {len(names):,}", note, names[shown:], groups)


def _grouped(heading: str, note: str, groups: Sequence[Sequence[tuple[str, str]]]) -> Trouble:
    """Images that are one, side by side, a group a row; names where not all can be shown."""
    rest = [*(one for one in groups[:SHOWN] if len(one) > ABREAST), *groups[SHOWN:]]
    names = [" = ".join(label for _, label in group) for group in rest]
    shown = [group[:ABREAST] for group in groups[:SHOWN]]
    return Trouble(f"{heading}: {len(groups):,}", note, names, shown)
