"""Writing files so that one under its final name is always whole."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from limner.errors import LimnerError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; renamed to `path` when the block ends well, else removed.

    Raises:
        LimnerError: in one line, if the disk is full or the folder cannot be written. What stood
            under `path` before stays as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    except OSError as error:
        raise cannot_write(path, error) from None
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a whole file, or leave what was there before. Text is written as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def cannot_write(path: Path, error: OSError) -> LimnerError:
    """The one line for a file that could not be written."""
    reason = error.strerror or str(error)
    return LimnerError(
        f"{path}: cannot be written ({reason}); what was there before is unharmed: "
        "make room or choose another place, then run the same command again"
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk says within the block into the one line of `cannot_write`.

    Example:
        >>> with writing(Path("cats.txt")):
        ...     _ = Path("cats.txt").write_text("tom")
    """
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from None


def check_space(folder: Path, needed: int) -> None:
    """Raise a LimnerError where the disk has no room for so many more bytes.

    Example:
        >>> check_space(Path(), 0)
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise LimnerError(
            f"{folder}: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; "
            "make room, or choose another place with --out"
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
