"""The command `limner`: results go to stdout, progress and warnings to stderr."""

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import Annotated

import typer

from limner.errors import InputError, LimnerError


def root(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[  # main() reads it at any position
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Global options."""
    if show_version:
        from importlib.metadata import version  # noqa: PLC0415 (slow, rarely used)

        print(f"limner {version('limner')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


COMMANDS = {
    "download": ("fetching", "Download a dataset and unpack it."),
    "check": ("preparing", "Report problems of images and captions."),
    "prepare": ("preparing", "Prepare a dataset from images and captions."),
    "train": ("making", "Train a captioner."),
    "evaluate": ("scoring", "Caption a split and score it against the raw references."),
    "score": ("scoring", "Score any file of captions against any references."),
    "compare": ("scoring", "Test whether the second model is better than the first."),
    "caption": ("using", "Caption images."),
    "demo": ("demo", "Train on generated images, caption unseen ones."),
    "info": ("using", "Describe a dataset, run or checkpoint."),
    "dataset": ("datasets", "Inspect, merge, subset and export datasets."),
}
"""The module and summary of each command."""

RENAMED = {"--pictures": "--images", "--no-pictures": "--no-images"}
"""Old names of options, which still work in `RENAMED_IN`."""

RENAMED_IN = ("demo", "dataset head")


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """All commands; only the modules of commands named in the arguments are imported."""
    app = typer.Typer(
        name="limner",
        help="Train recurrent networks to caption images.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(root)
    for name, (home, summary) in COMMANDS.items():
        if name not in arguments:
            app.command(name, help=summary)(lambda: None)  # never called
            continue
        module = import_module(f"limner.cli.{home}")
        if name == "dataset":
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def main(arguments: list[str] | None = None) -> int:
    """Run a command; an error is one line on stderr, and status 2 (input) or 1 (failure)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names may not be valid UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        for before, given in pairwise(["limner", *arguments]):
            if not given:
                raise InputError(f"{before}: followed by an empty argument; give a value")
        arguments = [a for a in arguments if a != "--debug"]
        if " ".join(arguments).startswith(RENAMED_IN):
            arguments = [_renamed(a) for a in arguments]
        arguments = ["--debug"] * debug + arguments
        status = app_for(arguments)(arguments, prog_name="limner", standalone_mode=False)
        sys.stdout.flush()
        return int(status or 0)
    except typer.Abort:
        return 130
    except (BrokenPipeError, SystemExit):  # the reader closed the pipe, as `head` does;
        _discard_stdout()  # typer raises SystemExit for it
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _explain(error)


def _renamed(argument: str) -> str:
    """An argument with the present name of its option; prints a line if the name is an old one."""
    option, equals, value = argument.partition("=")
    if option not in RENAMED:
        return argument
    print(f"limner: {option} is now called {RENAMED[option]}", file=sys.stderr)
    return RENAMED[option] + equals + value


def _discard_stdout() -> None:
    """Redirect stdout to os.devnull, so that nothing is flushed at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: Exception) -> int:
    """Print one line for an exception; returns the exit status."""
    from limner.cli.console import log  # noqa: PLC0415 (slow import, not needed for --help)

    status = LimnerError.exit_status
    if hasattr(error, "format_message"):  # typer's usage errors
        line = f"{error.format_message().rstrip('.')}; see `limner --help`"
        status = InputError.exit_status
    elif isinstance(error, LimnerError):
        line, status = str(error), error.exit_status
    elif isinstance(error, OSError) and error.filename:
        line = f"{error.filename}: {error.strerror}"
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:  # only of stdout: no filename
        line = f"standard output: {error.strerror}"
        _discard_stdout()
    elif isinstance(error, MemoryError):
        line = "not enough memory; use a smaller model, batch or image"
    else:
        line = f"{type(error).__name__}: {' '.join(str(error).split())}"
        line += " (a bug in limner; --debug shows the traceback)"
    log(f"limner: {line}")
    return status
