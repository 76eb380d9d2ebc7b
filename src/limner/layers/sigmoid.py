"""The logistic function, stable and fast."""

import numpy as np

from limner.typing import Array, Float


def sigmoid(x: Float[Array, "..."], out: Float[Array, "..."] | None = None) -> Float[Array, "..."]:
    """`1 / (1 + exp(-x))`, computed as `tanh(x/2) / 2 + 1/2`.

    tanh cannot overflow, and needs neither a branch nor a division.

    Args:
        x: any shape.
        out: output array, which may be x; None creates one.

    Returns:
        Values from 0 to 1, with the shape and dtype of x.

    >>> import numpy as np
    >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    values: Array = np.multiply(x, 0.5, out=out)
    np.tanh(values, out=values)
    values *= 0.5
    values += 0.5
    return values
