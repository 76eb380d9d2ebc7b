"""Terminal output: results on stdout, progress and warnings on stderr."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from limner.cli.options import in_options
from limner.cli.terminal_image import WIDTH, draw
from limner.data.dataset import Dataset
from limner.data.preparing.scan import open_image
from limner.errors import InputError
from limner.evaluation.assessment import Row
from limner.images.images import source_name
from limner.metrics import Difference, Scores

stderr = Console(stderr=True, highlight=False, soft_wrap=True)
stdout = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def log(message: str) -> None:
    """Print a line on stderr; names of arguments in backquotes become those of options."""
    stderr.print(printable(in_options(message)), markup=False, emoji=False)


def print_line(message: str) -> None:
    """Print a line with untrusted names and words on stdout."""
    print(printable(in_options(message)))


def printable(text: str) -> str:
    r"""Escape control characters, which could move the cursor or change colors.

    >>> print(printable(chr(27) + "[31mred"))
    \x1b[31mred
    """
    return "".join(ascii(c)[1:-1] if unicodedata.category(c) == "Cc" else c for c in text)


def warn(messages: Iterable[str]) -> None:
    """Print each warning as a line on stderr."""
    for message in messages:
        log(f"limner: {message}")


def print_facts(facts: Mapping[str, object]) -> None:
    """Print each fact as a line on stdout."""
    for name, fact in facts.items():
        print(f"{name}: {fact}")


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr; yields `update(done, total, note="")`."""
    with staged_bar(unit) as update:
        yield partial(update, what)


@contextmanager
def staged_bar(unit: str) -> Iterator[Callable[..., None]]:
    """Successive progress bars on stderr; yields `update(stage, done, total, note="")`."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(
        *columns,
        console=stderr,
        transient=True,
        refresh_per_second=4,
        disable=not stderr.is_terminal,
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def update(stage: str, done: int, total: int, note: str = "") -> None:
            if stage not in tasks:
                for task in tasks.values():
                    progress.update(task, visible=False)
                tasks[stage] = progress.add_task(stage, total=total, rate="", note="")
            task = tasks[stage]
            speed = progress.tasks[progress.task_ids.index(task)].speed
            rate = f"{speed:.1f} {unit}/s" if speed else ""
            progress.update(task, completed=done, total=total, rate=rate, note=note)

        yield update


def print_rows(title: str, rows: Mapping[str, Row], provenance: Mapping[str, str]) -> None:
    """Print scores and diversity as a table, a column per row, and the provenance."""
    first, *others = rows.values()
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(title, no_wrap=True)
    name, *names = rows
    for column in (name, "95 %", *names):
        table.add_column(column, justify="right", no_wrap=column == "95 %")
    for name, value in first.scores.items():
        low, high = first.intervals[name]
        cells = [f"{row.scores[name]:.2f}" if name in row.scores else "-" for row in others]
        table.add_row(name, f"{value:.2f}", f"{low:.1f}-{high:.1f}", *cells)
    for name, own, *rest in zip(DIVERSITY, *map(_diversity, rows.values()), strict=True):
        table.add_row(name, own, "", *rest)
    stdout.print(table)
    print_facts(provenance)


DIVERSITY = ("distinct captions, %", "different words", "words per caption", "seen in training, %")


def _diversity(row: Row) -> list[str]:
    known = row.diversity
    seen = "-" if known.seen is None else f"{known.seen:.1f}"
    return [f"{known.distinct:.1f}", f"{known.vocabulary:,}", f"{known.mean_length:.1f}", seen]


def print_differences(
    names: tuple[str, str], scores: tuple[Scores, Scores], found: Mapping[str, Difference]
) -> None:
    """Print a line per score: both values, their difference and its significance."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("", no_wrap=True)
    for column in (*names, "difference", "95 %", "p", ""):
        table.add_column(column, justify="right", no_wrap=column not in names, overflow="fold")
    first, second = (one.corpus for one in scores)
    for name, difference in found.items():
        low, high = difference.interval
        both = f"{first[name]:.2f}", f"{second[name]:.2f}", f"{difference.value:+.2f}"
        verdict = "significant" if difference.real else "not significant"
        interval, p_value = f"{low:+.2f} to {high:+.2f}", f"{difference.p_value:.3f}"
        table.add_row(name, *both, interval, p_value, verdict)
    stdout.print(table)


def print_counts(dataset: Dataset) -> None:
    """Print the size of each split and of the vocabulary."""
    for name, part in dataset.splits.items():
        print(f"{name}: {len(part.image_ids)} images, {len(part.captions)} captions")
    print(f"vocabulary: {len(dataset.vocabulary)} {dataset.vocabulary.unit}")
    print(f"dataset: {dataset.path}")


def print_row(dataset: Dataset, split: str, row: int, draw_image: bool = True) -> None:
    """Print an image of a dataset, drawn if stdout is a terminal with colors, and its captions.

    Out-of-vocabulary words are underlined, or without colors in [brackets].
    """
    part = dataset.splits[split]
    image = part.image_ids[row]
    in_colour = stdout.is_terminal and stdout.color_system is not None
    print(f"{split} {row}: {source_name(Path(image))}")
    try:
        location = dataset.image_file(image)
        loaded = open_image(location, size_hint=2 * WIDTH)
        print(f"  {source_name(Path(str(location)))}")
        if draw_image and in_colour:
            stdout.print(draw(loaded, min(WIDTH, stdout.width)))
    except InputError as error:
        print(f"  {error}")
    for text in dataset.texts(split, row):
        line = Text("  ")
        for piece, unknown in dataset.vocabulary.marked(printable(" ".join(text.split()))):
            if in_colour:
                line.append(piece, "underline red" if unknown else "")
            else:
                line.append(f"[{piece}]" if unknown else piece)
        stdout.print(line)
