"""Rows of arrays that may be larger than memory, block by block.

N: rows    B: rows of a block    D: length of a feature vector
"""

import mmap
from collections.abc import Iterator

import numpy as np

from limner.typing import Array, Float, Int

BLOCK_BYTES = 32_000_000
"""Size of a block in memory."""


def blocks(
    features: Float[Array, "N *_ D"], rows: Int[Array, " M"] | None = None
) -> Iterator[Float[Array, "B *_ D"]]:
    """Yield copies of all rows, or of the given rows, in order.

    >>> [block.tolist() for block in blocks(np.eye(3), np.array([2, 0]))]
    [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    """
    count = len(features) if rows is None else len(rows)
    at_once = max(BLOCK_BYTES // max(features[:1].nbytes, 1), 1)
    for start in range(0, count, at_once):
        chosen = slice(start, start + at_once)
        yield np.array(features[chosen if rows is None else rows[chosen]])
        release(features)


def release(features: Array) -> None:
    """Release the memory of a mapped file's pages; they are read again on access.

    The kernel would do so under memory pressure; until then they count as memory of this process.
    """
    owner: object = features
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
