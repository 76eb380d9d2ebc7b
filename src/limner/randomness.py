"""The one meaning of `rng=None` in this package: NumPy's global state.

`np.random.seed` then repeats everything that is drawn, as in the course's notebooks.
"""

import numpy as np

from limner.typing import Array, Int

Random = np.random.Generator | np.random.RandomState
"""What random numbers are drawn from; both kinds have the methods that are used here."""


def integers(rng: Random | None, high: int, size: int) -> Int[Array, " S"]:
    """Integers from 0 to `high - 1`, each as likely."""
    random = global_if_none(rng)
    if isinstance(random, np.random.Generator):
        return random.integers(high, size=size)
    return random.randint(high, size=size)


def global_if_none(rng: Random | None) -> Random:
    """The generator itself, or NumPy's global one.

    >>> np.random.seed(0)
    >>> float(global_if_none(None).standard_normal()) == np.random.RandomState(0).standard_normal()
    True
    """
    return np.random.mtrand._rand if rng is None else rng
