"""HTML page of the findings of `limner check`: problems, vocabulary, sample images."""

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
"""Names shown before a list is collapsed."""

SHOWN = 36
"""Maximum number of thumbnails per problem."""

ABREAST = 4
"""Maximum number of thumbnails per group of duplicates."""

CARDS = 24
"""Number of random images shown with their captions."""


@dataclass(frozen=True)
class Problem:
    """One kind of problem.

    Attributes:
        heading: the kind and its count.
        note: explanation.
        names: affected images or captions that are not shown as thumbnails.
        groups: rows of thumbnails, (image id, label) each.
    """

    heading: str
    note: str
    names: Sequence[str]
    groups: Sequence[Sequence[tuple[str, str]]] = ()


def write_check(path: Path, findings: Findings, cost: Cost | None = None) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        findings: of `limner check`.
        cost: of preparing, if known.

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
        find=source.image_files.__getitem__ if has_images else None,
        title=source.path.resolve().name or str(source.path),
        source=source,
        splits=findings.counts,
        takes=(cost or "unknown") if has_images else "little time: the features exist already",
        problems=[one for one in _problems(findings) if one.names or one.groups],
        unfolded=UNFOLDED,
        lengths=length_chart([Series("captions", "people", lengths)]) if lengths else None,
        vocabulary=findings.vocabulary,
        cards=[(i, [[(text, False)] for text in source.captions[i]]) for i in drawn],
    )


def _problems(findings: Findings) -> Iterator[Problem]:
    """All kinds of problems, including those without occurrences."""
    yield Problem("Problems while reading", "", findings.source.problems)
    unreadable = list(findings.unreadable.values())
    yield _counted("Unreadable images", "They are skipped.", unreadable)
    across = [
        [(image, f"{image} ({split})") for split, images in ids.items() for image in images]
        for ids in leaks(findings.same)
    ]
    note = "Scores on these images are too high. Remove each from all splits but one."
    yield _grouped("The same image in several splits", note, across)
    within = [[(image, image) for image in images] for images in repeats(findings.same)]
    yield _grouped("The same image twice in a split", "", within)
    note = f"No image of this name was found in {findings.source.root}."
    yield _counted("Captions without images", note, findings.without_images)
    what, shown = ("Images", SHOWN) if findings.source.features is None else ("Features", 0)
    yield _counted(
        f"{what} without captions", "They are skipped.", findings.without_captions, shown
    )
    mangled = [f"{one}. For example: {one.example}" for one in findings.mangled]
    yield _counted("Scripts that are not tokenized correctly", "", mangled)


def _counted(heading: str, note: str, names: Sequence[str], shown: int = 0) -> Problem:
    """A problem with its count; the first `shown` names get thumbnails."""
    groups = [[(image, image) for image in names[:shown]]] if names[:shown] else []
    return Problem(f"{heading}: {len(names):,}", note, names[shown:], groups)


def _grouped(heading: str, note: str, groups: Sequence[Sequence[tuple[str, str]]]) -> Problem:
    """A problem with groups of equal images; those beyond the limits are listed by name."""
    rest = [*(one for one in groups[:SHOWN] if len(one) > ABREAST), *groups[SHOWN:]]
    names = [" = ".join(label for _, label in group) for group in rest]
    shown = [group[:ABREAST] for group in groups[:SHOWN]]
    return Problem(f"{heading}: {len(groups):,}", note, names, shown)
