"""A page of what `limner check` found: what is wrong first, then words, then some pictures."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from limner.data.preparing.check import Findings
from limner.data.preparing.cost import Cost
from limner.data.preparing.duplicates import leaks, repeats
from limner.data.preparing.scan import open_picture
from limner.errors import InputError
from limner.io import write_atomically
from limner.report.charts import Bars, bar_chart
from limner.report.frame import Section, facts, page
from limner.report.thumbnail import SIDE, thumbnail

OPEN = 10
"""Names that a list shows before it is folded."""

SHOWN = 36
"""Thumbnails of a kind, at most."""

ABREAST = 4
"""Thumbnails of one picture that stands there several times, at most."""

CARDS = 24
"""Pictures with their captions, by chance."""

TAIL = 0.99
"""Captions that are longer than this share of them stand in the last bar together."""


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
    captions = sum(split["captions"] for split in findings.counts.values())
    pictures = sum(split["pictures"] for split in findings.counts.values())
    sections = [
        Section("source", "What it is", _source(findings, cost)),
        Section("trouble", "What is wrong", _trouble(findings) or "<p>Nothing.</p>"),
        Section("words", "Words", _words(findings)),
        Section("pictures", "Some pictures", _cards(findings)),
    ]
    lead = (
        f"{pictures:,} pictures with {captions:,} captions can be learnt from. "
        f"Taken for {source.title}."
    )
    if "train" not in findings.splits:
        lead = f"It cannot be prepared: nothing to train on is left. Taken for {source.title}."
    title = source.path.resolve().name or str(source.path)
    write_atomically(path, page(title, lead, [one for one in sections if one.body]))


def _source(findings: Findings, cost: Cost | None) -> str:
    source = findings.source
    about = {
        "source": source.path,
        "format": source.format,
        "captions": ", ".join(map(str, source.files)),
        "preparing takes": cost or "not known",
    }
    if source.features is not None:
        about["preparing takes"] = "hardly any time: the features are there"
    rows = [
        [name, f"{split['pictures']:,}", f"{split['captions']:,}"]
        for name, split in findings.counts.items()
    ]
    return _table("splits", ["split", "pictures", "captions"], rows) + facts(about)


def _trouble(findings: Findings) -> str:
    """A part for each kind of trouble; "" where there is none."""
    across = [
        [(image, f"{image} ({split})") for split, images in ids.items() for image in images]
        for ids in leaks(findings.same)
    ]
    within = [[(image, image) for image in images] for images in repeats(findings.same)]
    return "".join(
        (
            _noted(findings.source.problems),
            _listed(
                "Pictures that cannot be read",
                "They are left out.",
                findings.unreadable.values(),
            ),
            _grouped(
                findings,
                "The same picture in several splits",
                "A model is tested on what it has learnt by heart. Take it out of one of them.",
                across,
            ),
            _grouped(findings, "The same picture twice in a split", "", within),
            _listed(
                "Captions without pictures",
                f"No picture of such a name is in {findings.source.root}.",
                findings.without_pictures,
            ),
            _uncaptioned(findings),
            _mangled(findings),
        )
    )


def _noted(problems: Sequence[str]) -> str:
    return _kind("Noted while reading", "", _folded(problems)) if problems else ""


def _uncaptioned(findings: Findings) -> str:
    """Those that can be seen, and the names of the others."""
    images = findings.without_captions
    if findings.source.features is not None:
        return _listed("Features without captions", "They are left out.", images)
    shown = _strip(findings, [(image, image) for image in images[:SHOWN]])
    rest = _folded(images[SHOWN:]) if images[SHOWN:] else ""
    heading = f"Pictures without captions: {len(images):,}"
    return _kind(heading, "They are left out.", shown + rest) if images else ""


def _mangled(findings: Findings) -> str:
    return _listed(
        "Writing whose words are not found",
        "",
        [f"{one}. For example: {one.example}" for one in findings.mangled],
    )


def _words(findings: Findings) -> str:
    if not findings.lengths:
        return ""
    lengths = np.array(sorted(findings.lengths.elements()))
    first, last = int(lengths[0]), int(np.quantile(lengths, TAIL, method="lower"))
    shares = np.bincount(lengths.clip(max=last) - first) * (100 / len(lengths))
    names = [f"{length}" for length in range(first, last + 1)]
    names[-1] += "+" if lengths[-1] > last else ""
    chart = bar_chart(
        "How long the captions are",
        names,
        [Bars("captions", "people", shares.tolist())],
        "words",
        "% of the captions",
    )
    rows = [
        [
            f"{one.min_count}",
            f"{one.words:,}",
            f"{one.unknown:.1%}",
            "–" if one.unknown_elsewhere is None else f"{one.unknown_elsewhere:.1%}",
        ]
        for one in findings.vocabulary
    ]
    head = ["--min-count", "words", "<UNK> in train", "<UNK> in the other splits"]
    return (
        "<p>Words that stand less often than --min-count in the training captions become "
        "&lt;UNK&gt;: a model can neither say nor learn them.</p>"
        f'<div class="charts">{chart}{_table("vocabulary", head, rows)}</div>'
    )


def _cards(findings: Findings) -> str:
    images = [image for images in findings.splits.values() for image in images]
    if not images:
        return ""
    drawn = np.random.default_rng(0).permutation(len(images))[:CARDS]
    cards = "".join(_card(findings, images[i]) for i in drawn)
    return f'<p>{len(drawn)} by chance.</p>\n<ul class="wall">\n{cards}</ul>'


def _card(findings: Findings, image: str) -> str:
    texts = findings.source.captions[image]
    shown = _thumbnail(findings, image, texts[0])
    lines = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return (
        f'<li class="card">{shown}<p class="name">{escape(image)}</p>'
        f'<ul class="captions">{lines}</ul></li>\n'
    )


def _thumbnail(findings: Findings, image: str, alt: str) -> str:
    """Of a picture; "" where there are features alone."""
    if findings.source.features is not None:
        return ""
    picture = findings.source.pictures.get(image)
    if picture is None:
        return thumbnail(_no_picture, alt)
    return thumbnail(lambda: open_picture(picture, size_hint=SIDE), alt)


def _no_picture() -> Image.Image:
    raise InputError("no picture")


def _strip(findings: Findings, images: Iterable[tuple[str, str]]) -> str:
    """Thumbnails side by side, each over its label; `images` are ids and labels."""
    shown = "".join(
        f"<li>{_thumbnail(findings, image, image)}<span>{escape(label)}</span></li>"
        for image, label in images
    )
    return f'<ul class="strip">{shown}</ul>'


def _grouped(
    findings: Findings, heading: str, note: str, groups: Sequence[Sequence[tuple[str, str]]]
) -> str:
    """Pictures that are one, side by side, a group a line; names where not all can be shown."""
    shown = "".join(_strip(findings, group[:ABREAST]) for group in groups[:SHOWN])
    rest = [*(one for one in groups[:SHOWN] if len(one) > ABREAST), *groups[SHOWN:]]
    names = [" = ".join(label for _, label in group) for group in rest]
    body = shown + (_folded(names) if names else "")
    return _kind(f"{heading}: {len(groups):,}", note, body) if groups else ""


def _listed(heading: str, note: str, lines: Iterable[str]) -> str:
    """A heading with a count, and every line; "" where there are none."""
    lines = list(lines)
    return _kind(f"{heading}: {len(lines):,}", note, _folded(lines)) if lines else ""


def _folded(lines: Sequence[str]) -> str:
    """Every line, those after the first few to be unfolded."""
    more = _items(lines[OPEN:])
    folded = f"<details><summary>{len(lines) - OPEN:,} more</summary>{more}</details>"
    return _items(lines[:OPEN]) + (folded if len(lines) > OPEN else "")


def _items(lines: Iterable[str]) -> str:
    return f'<ul class="lines">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>'


def _kind(heading: str, note: str, body: str) -> str:
    about = f"<p>{escape(note)}</p>" if note else ""
    return f'<div class="kind"><h3>{heading}</h3>{about}{body}</div>\n'


def _table(label: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows with a name in front of each."""
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return (
        f'<div class="scroll" role="region" aria-label="Table of {label}" tabindex="0"><table>'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )
