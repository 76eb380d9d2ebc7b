"""The command download."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from limner.cli.console import log, progress_bar
from limner.cli.options import struct_options
from limner.download.catalog import RemoteFile, read_catalog
from limner.download.download import bytes_there, fetch_file
from limner.download.unpack import unpack
from limner.errors import InputError
from limner.io import check_space

ASK_ABOVE = 1e9  # bytes


@struct_options
def download(
    name: Annotated[
        str, typer.Argument(help="flickr8k, flickr30k, coco2014, coco-captioning, or your own.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the dataset, created if missing [NAME].")
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="TOML file of further downloads, see docs/download.md.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before large downloads.")] = False,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep archives after unpacking.")
    ] = False,
) -> None:
    """Download a dataset and unpack it. An interrupted download continues when repeated."""
    known = read_catalog(catalog)
    if name not in known:
        raise InputError(f"{name}: unknown download; available: {', '.join(sorted(known))}")
    wanted, folder = known[name], out or Path(name)
    missing = [file for file in wanted.files if not file.is_in(folder)]
    print(wanted.title)
    print(f"licence: {wanted.licence}")
    print(f"cite: {wanted.citation}")
    if missing:
        _announce(name, missing, folder, yes)
        _fetch(name, missing, folder, keep_archives)
    else:
        print(f"{folder}: already complete")
    print("next:", wanted.next.replace("{folder}", shlex.quote(str(folder))))


def _announce(name: str, missing: Sequence[RemoteFile], folder: Path, yes: bool) -> None:
    """Print what will be downloaded; ask for confirmation if it is large or of unknown size."""
    for file in missing:
        print(f"{file.url} ({_gigabytes(file.bytes)})")
    known = [file.bytes or 0 for file in missing]
    left = sum(max(0, (file.bytes or 0) - bytes_there(file, folder)) for file in missing)
    unknown = not all(known)
    total = f"{_gigabytes(left)} and a file of unknown size" if unknown else _gigabytes(left)
    print(f"to download into {folder}: {total}", flush=True)
    check_space(folder, left + max(known))  # an archive is deleted after unpacking
    if yes or (left <= ASK_ABOVE and not unknown):
        return
    if not sys.stdin.isatty():
        raise InputError(f"{name}: {total} to download; add --yes to confirm")
    if not typer.confirm("Continue?", err=True):
        log("nothing was downloaded")
        raise typer.Exit(1)


def _fetch(name: str, missing: Sequence[RemoteFile], folder: Path, keep_archives: bool) -> None:
    try:
        for file in missing:
            lines: list[str] = []  # printed after the progress bar, which would erase it
            with _megabytes(file.name) as update:
                archive = fetch_file(file, folder, lines.append, update)
            print(*lines, sep="\n")
            if file.unpack == "no":
                continue
            with _megabytes(f"unpacking {file.name}") as update:
                unpack(archive, file.unpack, folder, file.keep, update)
            if not keep_archives:
                archive.unlink()
    except KeyboardInterrupt:
        log(f"{name}: interrupted; run the same command again to continue")
        raise typer.Exit(130) from None


@contextmanager
def _megabytes(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar whose `update` takes bytes."""
    with progress_bar(what, "MB") as update:
        yield lambda done, total: update(done / 1e6, total / 1e6)


def _gigabytes(size: int | None) -> str:
    if size is None:
        return "size unknown"
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
