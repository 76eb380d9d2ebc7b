"""Atomic writing of files, locks, and reading of typed JSON."""

import errno
import glob
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from limner.errors import InputError, LimnerError

Kind = TypeVar("Kind")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; renamed to `path` at the end of the block, removed on error.

    Raises:
        LimnerError: if the disk is full or the folder cannot be written. An existing file is then
            unchanged.
    """
    temporary = _beside(path)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch(exist_ok=False)
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`; renamed to `path` at the end of the block, removed on
    error.

    Raises:
        LimnerError: if the disk is full, or `path` exists.
    """
    temporary = _beside(path)
    try:
        with writing(path):
            temporary.mkdir(parents=True)
            yield temporary
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file atomically; text as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file during the block; it is released when the process ends, in any case.

    The file is removed at the end. On a file system without locks, as some network file systems, a
    warning is logged, and the block runs without a lock.

    Raises:
        InputError: if another process holds the lock.
    """
    import logging  # noqa: PLC0415 (slow)

    from filelock import FileLock, Timeout  # noqa: PLC0415 (slow)

    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"{path.parent}: another limner is at work there; wait for it, or stop it first"
        ) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise cannot_write(path, error) from None
        logging.getLogger(__name__).warning(
            f"{path.parent}: no locks on this file system; run one limner at a time there"
        )
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes the file when it is released
            path.unlink()
        lock.release()


def existing(path: Path) -> Path:
    """The path of a dataset's file; InputError if it is missing."""
    if not path.is_file():
        raise InputError(f"{path}: missing; the dataset is incomplete, prepare it again")
    return path


def read_typed(path: Path, remedy: str, kind: type[Kind]) -> Kind:
    """Read JSON or, by the file name, TOML as a type.

    Args:
        path: the file.
        remedy: advice for the error message.
        kind: a struct, or another type that msgspec supports.

    Raises:
        InputError: if it is damaged or invalid; it names the file and the field.

    >>> _ = Path("counts.json").write_text('{"dogs": "two"}')
    >>> read_typed(Path("counts.json"), "count again", dict[str, int])
    Traceback (most recent call last):
    limner.errors.InputError: counts.json: Expected `int`, got `str` - at `$[...]`; count again
    """
    is_toml = path.suffix == ".toml"
    try:
        decode = msgspec.toml.decode if is_toml else msgspec.json.decode
        return decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        if not isinstance(error, msgspec.ValidationError):
            reason = f"{'no TOML' if is_toml else 'damaged JSON'} ({reason})"
        raise InputError(f"{path}: {reason}; {remedy}") from None


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file") from None


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove temporary files of interrupted processes."""
    for name in names:
        for left in folder.glob(f".{glob.escape(name)}.????????"):
            left.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> LimnerError:
    """The error for a file that could not be written."""
    reason = error.strerror or str(error)
    return LimnerError(
        f"{path}: cannot be written ({reason}), and is unchanged; free disk space or "
        "choose another path, then repeat the command"
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Convert an OSError in the block to `cannot_write`.

    Example:
        >>> with writing(Path("cats.txt")):
        ...     _ = Path("cats.txt").write_text("tom")
    """
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from None


def check_space(folder: Path, needed: int) -> None:
    """Raise a LimnerError if the disk has too little free space.

    Example:
        >>> check_space(Path(), 0)
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise LimnerError(
            f"{folder}: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; "
            "make room, or choose another place with `out`"
        )


def _beside(path: Path) -> Path:
    return path.absolute().with_name(f".{path.name}.{os.urandom(4).hex()}")
