"""HDF5 files; damage and full disks raise one-line errors.

Shapes: N images, L regions, D features.
"""

import io
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from limner.errors import InputError
from limner.io import atomic_path, existing, writing
from limner.typing import Array, Float

UNPACKED = 4_000_000
"""Bytes of features that are decompressed at once, at least one row of chunks."""


@contextmanager
def h5_writer(path: Path) -> Iterator[h5py.File]:
    """Write an HDF5 file, which appears under its name when it is complete.

    Raises:
        LimnerError: if it cannot be written.
    """
    with atomic_path(path) as temporary, _KeepsErrors(temporary, "w+b") as raw:
        with h5py.File(raw, "w") as file:
            yield file
        if raw.error:
            raise raw.error


class _KeepsErrors(io.FileIO):
    """A file that stores its first write error instead of raising it.

    After a failed write, HDF5 would retry on closing, and crash at the end of the process.
    """

    error: OSError | None = None

    def write(self, block: Any, /) -> int:
        left = memoryview(block).cast("B")
        size = len(left)
        try:
            while left and not self.error:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0


def read_arrays(path: Path, *keys: str) -> list[Array]:
    """Read arrays of an HDF5 file."""
    try:
        with _open_h5(path) as file:
            return [file[key][()] for key in keys]
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]}; prepare the dataset again") from None


def map_features(path: Path) -> Float[Array, "N *_ D"]:
    """Memory-map the array `features` of an HDF5 file.

    A chunked or compressed array is first decompressed into a temporary file, in the folder TMPDIR.

    Args:
        path: the file.

    Returns:
        (N, D) or (N, L, D).

    Raises:
        InputError: if there is no such array, or the file is damaged.
        LimnerError: if the disk is full.
    """
    with _open_h5(path) as file:
        features = file.get("features")
        if not isinstance(features, h5py.Dataset):
            raise InputError(f"{path}: no array `features`; prepare the dataset again")
        if features.ndim not in (2, 3) or features.dtype.kind != "f":
            raise InputError(
                f"{path}: `features` is {features.dtype} {features.shape}, expected numbers "
                "(images, D) or (images, regions, D); prepare the dataset again"
            )
        if features.size == 0:  # nothing to map
            return np.empty(features.shape, features.dtype)
        offset = features.id.get_offset()
        if offset is None:
            return _unpacked(path, features)
        return np.memmap(path, features.dtype, "r", offset, features.shape)


def _unpacked(path: Path, features: h5py.Dataset) -> Float[Array, "N *_ D"]:
    """A memory map of an unnamed temporary copy, deleted with the array."""
    with writing(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as file:
        for block in _chunks(path, features):
            file.write(block.data)
        file.flush()
        return np.memmap(file, features.dtype, "r", 0, features.shape)


def _chunks(path: Path, features: h5py.Dataset) -> Iterator[Float[Array, "B *_ D"]]:
    """All rows in order, in multiples of whole chunks, so that none is decompressed twice."""
    row_bytes = math.prod(features.shape[1:]) * features.dtype.itemsize
    chunk = features.chunks[0] if features.chunks else 1
    rows = chunk * max(UNPACKED // (chunk * row_bytes), 1)
    for start in range(0, len(features), rows):
        try:
            block: Array = features[start : start + rows]
        except OSError as error:
            raise _damaged(path, error) from None
        yield block


@contextmanager
def _open_h5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading, without locks; errors of HDF5 become one line."""
    try:
        with h5py.File(existing(path), "r", locking=False) as file:
            yield file
    except (OSError, TypeError, ValueError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())
    return InputError(f"{path}: damaged or truncated ({reason}); prepare the dataset again")
