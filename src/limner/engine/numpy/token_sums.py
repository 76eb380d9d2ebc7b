"""Sums of row gradients by token: the gradient of the embedding lookup.

Few tokens are frequent in a batch, most occur once or twice; the two are handled separately.
`np.add.at`, `np.add.reduceat` and a product with a 0-1 matrix take several times as long.

Shapes: m gates, P rows, U distinct tokens, H hidden.
"""

import numpy as np

from limner.typing import Array, Float, Int

OFTEN = 4
"""Tokens with more occurrences are summed separately."""


def sum_by_token(
    rows: Float[Array, "m P H"], lookup: Int[Array, " P"], out: Float[Array, "m U H"]
) -> None:
    """Set `out[:, u]` to the sum of the rows with `lookup` u; each u occurs at least once.

    >>> out = np.empty((1, 2, 1))
    >>> sum_by_token(np.array([[[1.0], [2.0], [4.0]]]), np.array([0, 1, 0]), out)
    >>> out[0, :, 0]
    array([5., 2.])
    """
    by_token = np.argsort(lookup, kind="stable")
    counts = np.bincount(lookup, minlength=out.shape[1])
    ends = np.cumsum(counts)
    starts = ends - counts
    # the first row of each token, then the second rows, and so on
    np.take(rows, by_token[starts], axis=1, out=out, mode="clip")
    for i in range(1, OFTEN):
        tokens = np.flatnonzero((counts > i) & (counts <= OFTEN))
        out[:, tokens] += rows[:, by_token[starts[tokens] + i]]
    for token in np.flatnonzero(counts > OFTEN).tolist():
        indices = by_token[starts[token] : ends[token]]
        np.add.reduce(rows[:, indices], axis=1, out=out[:, token])


def sum_rows(rows: Float[Array, "P K"], lookup: Int[Array, " P"], size: int) -> Array:
    """(size, K): sums of the rows with lookup 0, 1, ..."""
    order = np.argsort(lookup, kind="stable")
    counts = np.bincount(lookup, minlength=size)
    out = np.zeros((size, rows.shape[1]), rows.dtype)
    starts = (np.cumsum(counts) - counts)[counts > 0]
    out[counts > 0] = np.add.reduceat(rows[order], starts, axis=0)
    return out
