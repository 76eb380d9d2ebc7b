"""One large file by http: goes on where it broke off, and is there only once it is verified.

What comes is kept as ``NAME.part``, which becomes ``NAME`` when its size and checksum are right.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from limner.download.catalog import RemoteFile
from limner.download.transfer import Transfer
from limner.errors import InputError, LimnerError
from limner.http import NetworkError
from limner.io import locked, writing

TIMEOUT = 30.0  # seconds without a byte, after which a connection counts as broken
TRIES = 5  # in a row, none of which brought more than a trifle
TRIFLE = 1_000_000  # bytes


def fetch_file(
    file: RemoteFile,
    folder: Path,
    report: Callable[[str], None],
    update: Callable[[int, int], None] = lambda done, total: None,
    *,
    timeout: float = TIMEOUT,
    pause: float = 1.0,
) -> Path:
    """Download a file into a folder, or go on with it, and return its path.

    A file that is there already is verified and not fetched.

    Args:
        report: gets a line on how the file was verified.
        update: gets the bytes that are there, and how many there will be.
        timeout: seconds in which something must come; less than 100 bytes a second is nothing.
        pause: seconds before another try; more after each that brought nothing.

    Raises:
        LimnerError: the server refuses, breaks off five times in a row and hardly sends anything,
            or sends another file (deleted); the disk is full. What came is kept, and the next
            call goes on with it.
        InputError: another file stands under that name.

    Example:
        >>> _ = Path("notes.txt").write_bytes(b"a red circle")
        >>> file = RemoteFile(url="https://example.org/notes.txt", bytes=12)
        >>> fetch_file(file, Path(), report=lambda line: None).name
        'notes.txt'
    """
    target, transfer = folder / file.name, Transfer(file, folder, update, timeout)
    if target.exists():
        if wrong := _verify(file, target, report):
            raise InputError(f"{target}: {wrong}; move it away, then run the same command again")
        return target
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{file.name}.lock", report):
        _receive_all(transfer, pause)
        if wrong := _verify(file, transfer.part, report):
            transfer.part.unlink()
            raise LimnerError(
                f"{file.url}: not the file that was expected, and deleted: {wrong}; try again "
                "later, or give the address and checksum of another copy with --catalog"
            )
        transfer.part.replace(target)
        transfer.version.unlink(missing_ok=True)
    return target


def bytes_there(file: RemoteFile, folder: Path) -> int:
    """How much of a file need not be downloaded any more.

    Example:
        >>> bytes_there(RemoteFile(url="https://example.org/absent.zip"), Path())
        0
    """
    target = folder / file.name
    return target.stat().st_size if target.exists() else Transfer(file, folder).done


def _verify(file: RemoteFile, path: Path, report: Callable[[str], None]) -> str | None:
    """Report how a whole file was verified, or return what is wrong with it."""
    size = path.stat().st_size
    if size != (file.bytes or size):
        return f"it has {size:,} bytes, and {file.bytes:,} are expected"
    kind, expected = file.checksum or ("sha256", None)
    with path.open("rb") as content:
        found = hashlib.file_digest(content, kind).hexdigest()
    if found != (expected or found):
        return f"its {kind} is {found}, and {expected} is expected"
    if expected:
        report(f"{file.name}: verified by its {kind}")
    else:
        report(
            f"{file.name}: cannot be verified, no sha256 of it is known; to hold on to this one, "
            f'put sha256 = "{found}" into a catalogue of your own (docs/download.md)'
        )
    return None


def _receive_all(transfer: Transfer, pause: float) -> None:
    """Request again whenever the connection breaks off, as long as a few tries bring something."""
    failures, mark = 0, transfer.done
    while True:
        try:
            return transfer.receive()
        except NetworkError as error:
            failures += 1
            if transfer.done > mark + TRIFLE:
                failures, mark = 1, transfer.done
            if failures == TRIES:
                raise LimnerError(
                    f"{transfer.file.url}: {error}, {TRIES} times in a row; check the network, "
                    f"then run the same command again: it goes on after {transfer.done:,} bytes"
                ) from None
            time.sleep(pause * failures)
