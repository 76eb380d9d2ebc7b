"""Gradients of rows, summed by the token that the rows share: the gradient of a lookup.

Few tokens stand in a batch of captions often, most of them once or twice, so the two are treated
apart. `np.add.at` and `np.add.reduceat` take several times as long, and so does a product with a
0-1 matrix.

Shapes: m gates, P rows, U distinct tokens, H hidden.
"""

import numpy as np

from limner.typing import Array, Float, Int

OFTEN = 4
"""A token that stands more often than this is summed by itself."""


def sum_by_token(
    rows: Float[Array, "m P H"], lookup: Int[Array, " P"], out: Float[Array, "m U H"]
) -> None:
    """`out[:, u]` becomes the sum of the rows where `lookup` is u; every u stands at least once.

    >>> out = np.empty((1, 2, 1))
    >>> sum_by_token(np.array([[[1.0], [2.0], [4.0]]]), np.array([0, 1, 0]), out)
    >>> out[0, :, 0]
    array([5., 2.])
    """
    by_token = np.argsort(lookup, kind="stable")
    counts = np.bincount(lookup, minlength=out.shape[1])
    ends = np.cumsum(counts)
    starts = ends - counts
    # each token's first row, then the second rows of the tokens that have one, and so on
    np.take(rows, by_token[starts], axis=1, out=out, mode="clip")
    for place in range(1, OFTEN):
        tokens = np.flatnonzero((counts > place) & (counts <= OFTEN))
        out[:, tokens] += rows[:, by_token[starts[tokens] + place]]
    for token in np.flatnonzero(counts > OFTEN).tolist():
        places = by_token[starts[token] : ends[token]]
        np.add.reduce(rows[:, places], axis=1, out=out[:, token])


def sum_rows(rows: Float[Array, "P K"], lookup: Int[Array, " P"], size: int) -> Array:
    """(size, K): the sums of the rows where lookup is 0, 1, ..."""
    order = np.argsort(lookup, kind="stable")
    counts = np.bincount(lookup, minlength=size)
    out = np.zeros((size, rows.shape[1]), rows.dtype)
    starts = (np.cumsum(counts) - counts)[counts > 0]
    out[counts > 0] = np.add.reduceat(rows[order], starts, axis=0)
    return out
