"""What a person at the terminal sees: results on stdout, progress and warnings on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """A line for the person at the terminal, on stderr."""
    stderr.print(message, markup=False, emoji=False)


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr; yields `update(done, total, note="")`."""
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
        task = progress.add_task(what, total=None, rate="", note="")

        def update(done: int, total: int, note: str = "") -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:.1f} {unit}/s" if speed else ""
            progress.update(task, completed=done, total=total, rate=rate, note=note)

        yield update


def print_scores(scores: dict[str, float], of_what: str) -> None:
    """A line a score, from 0 to 100."""
    print(f"{of_what}, greedy decoding, scores from 0 to 100")
    for name, value in scores.items():
        print(f"{name}  {value:5.2f}")
