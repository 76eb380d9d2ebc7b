"""Writing an HDF5 file so that a full disk is an error, not a crash."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from limner.files import atomic_path


@contextmanager
def h5_writer(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file that appears under its name when it is whole.

    Raises:
        LimnerError: in one line, if it cannot be written.
    """
    with atomic_path(path) as temporary, _KeepsErrors(temporary, "w+b") as raw:
        with h5py.File(raw, "w") as file:
            yield file
        if raw.error:
            raise raw.error


class _KeepsErrors(io.FileIO):
    """A file that keeps its first error for later, and then pretends.

    HDF5 does not survive a write that fails: it tries again while it closes, and once more while
    the process ends, with a segmentation fault.
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
