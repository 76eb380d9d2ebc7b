"""Arrays that are allocated once and reused at every step."""

import math

import numpy as np

from limner.typing import Array


class Workspace:
    """Named scratch arrays of one dtype.

    The same name gives the same memory, so each name has one purpose. The contents are arbitrary. A
    buffer grows to the largest requested shape.

    >>> workspace = Workspace(np.float32)
    >>> h = workspace("h", 25, 512)
    >>> np.shares_memory(h, workspace("h", 20, 512))
    True
    """

    def __init__(self, dtype: type[np.floating]) -> None:
        self._dtype = dtype
        self.itemsize = np.dtype(dtype).itemsize
        self._buffers: dict[str, Array] = {}

    def __call__(self, name: str, *shape: int) -> Array:
        """A contiguous array of this shape under this name."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            self._buffers.pop(name, None)  # free the smaller one first
            buffer = self._buffers[name] = np.empty(size, self._dtype)
        return buffer[:size].reshape(shape)
