"""The meaning of `rng=None` in this package: NumPy's global state.

As in the course's notebooks, `np.random.seed` then makes results reproducible.
"""

import numpy as np

from limner.typing import Array, Int

Random = np.random.Generator | np.random.RandomState
"""A source of random numbers."""


def integers(rng: Random | None, high: int, size: int) -> Int[Array, " S"]:
    """Uniform integers from 0 to `high - 1`."""
    random = global_if_none(rng)
    if isinstance(random, np.random.Generator):
        return random.integers(high, size=size)
    return random.randint(high, size=size)


def global_if_none(rng: Random | None) -> Random:
    """The generator itself, or NumPy's global one.

    Args:
        rng: a random generator, or None.

    >>> np.random.seed(0)
    >>> float(global_if_none(None).standard_normal()) == np.random.RandomState(0).standard_normal()
    True
    """
    return np.random.mtrand._rand if rng is None else rng
