"""The frame that pages without scripts stand in: a title, and sections one below the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from limner.errors import InputError


@dataclass(frozen=True)
class Section:
    """A part of a page; `body` is HTML.

    Attributes:
        name: its place in the page's address.
        heading: in words.
        body: what stands in it.
    """

    name: str
    heading: str
    body: str


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The page's HTML; with links to its sections where there are several.

    >>> text = page("photos", "3 pictures", [Section("words", "Words", "<p>many</p>")])
    >>> '<section id="words">' in text, "<nav" in text
    (True, False)
    """
    links = " ".join(f'<a href="#{one.name}">{escape(one.heading)}</a>' for one in sections)
    nav = f'<nav aria-label="Sections">\n{links}\n</nav>\n'
    return Template(bundled("page.html")).substitute(
        style=bundled("report.css"),
        title=escape(title),
        lead=escape(lead),
        nav=nav if len(sections) > 1 else "",
        main="".join(
            f'<section id="{one.name}">\n<h2>{escape(one.heading)}</h2>\n{one.body}\n</section>\n'
            for one in sections
        ),
    )


def refuse_other_files(path: Path) -> None:
    """Raise InputError if something else than a page of limner's would be written over."""
    if path.is_dir() or (path.exists() and not _is_a_page(path)):
        raise InputError(f"{path}: is there, and no page of limner's; give --html another name")


def _is_a_page(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4096)
    return start.startswith(b"<!doctype html>") and b"limner" in start


def bundled(name: str) -> str:
    """The text of a file that ships."""
    return files("limner").joinpath("bundled", name).read_text("utf-8")


def facts(rows: Mapping[str, object]) -> str:
    """A list of facts by name."""
    lines = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(fact))}</dd></div>"
        for name, fact in rows.items()
    )
    return f'<dl class="facts">{lines}</dl>'
