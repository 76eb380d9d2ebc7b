"""The command `limner`: results go to stdout, progress and warnings to stderr."""

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from limner.errors import InputError, LimnerError


def root(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[  # read by main() from the arguments, wherever it stands
        bool, typer.Option("--debug", help="Show a traceback where something fails.")
    ] = False,
) -> None:
    """What comes before the command."""
    if show_version:
        from importlib.metadata import version  # noqa: PLC0415 (slow, and rarely asked for)

        print(f"limner {version('limner')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


COMMANDS = {
    "download": ("fetching", "Download a dataset and unpack it."),
    "check": ("preparing", "Say what is wrong with pictures and captions."),
    "prepare": ("preparing", "Make a dataset from pictures and captions."),
    "train": ("making", "Train a captioner."),
    "evaluate": ("scoring", "Caption a split and score it against the raw references."),
    "score": ("scoring", "Score any file of captions against any references."),
    "compare": ("scoring", "Say whether the second is really better than the first."),
    "caption": ("using", "Describe pictures, a sentence each."),
    "demo": ("demo", "Draw pictures, train on them, caption unseen ones."),
    "info": ("using", "Say what a dataset, run or checkpoint is."),
    "dataset": ("datasets", "Look at prepared datasets, merge, cut and export them."),
}
"""Modules of the commands, and what each does."""


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """All commands; the modules of those alone that the arguments name are imported."""
    app = typer.Typer(
        name="limner",
        help="Describe pictures with recurrent networks, and train them.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(root)
    for name, (home, summary) in COMMANDS.items():
        if name not in arguments:
            app.command(name, help=summary)(_not_named)
            continue
        module = import_module(f"limner.cli.{home}")
        if name == "dataset":
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _not_named() -> None:
    """In the place of a command that is not run."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; every error is one line on stderr, and a status: 2 input, 1 failure."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments = ["--debug"] * debug + [a for a in arguments if a != "--debug"]
        status = app_for(arguments)(arguments, prog_name="limner", standalone_mode=False)
        sys.stdout.flush()
        return int(status or 0)
    except typer.Abort:
        return 130
    except (BrokenPipeError, SystemExit):  # the reader of our output has gone, as `head` does;
        _discard_stdout()  # typer makes a SystemExit of it
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _explain(error)


def _discard_stdout() -> None:
    """What cannot be written is not tried again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: Exception) -> int:
    """Print one line for an exception; returns the exit status."""
    from limner.cli.console import say  # noqa: PLC0415 (slow: help does without)

    if hasattr(error, "format_message"):  # typer's usage errors
        say(f"limner: {error.format_message().rstrip('.')}; see `limner --help`")
        return InputError.exit_status
    if isinstance(error, LimnerError):
        say(f"limner: {error}")
        return error.exit_status
    if isinstance(error, OSError) and error.filename:
        say(f"limner: {error.filename}: {error.strerror}")
        return LimnerError.exit_status
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # files have names, stdout not
        say(f"limner: standard output: {error.strerror}")
        _discard_stdout()
        return LimnerError.exit_status
    if isinstance(error, MemoryError):
        say("limner: not enough memory; take a smaller model, batch or picture")
        return LimnerError.exit_status
    line = " ".join(str(error).split())
    say(f"limner: {type(error).__name__}: {line} (a mistake in limner; --debug shows where)")
    return LimnerError.exit_status
