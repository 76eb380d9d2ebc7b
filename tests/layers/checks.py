"""One numerical check for every layer: analytic gradients against central differences."""

from collections.abc import Callable, Sequence

import numpy as np

from limner.gradcheck import eval_numerical_gradient_array

ROUNDING = 1e-10
"""What a central difference of numbers around 1 is off by, however small the gradient."""


def check_gradients(
    forward: Callable[..., np.ndarray],
    backward: Callable[[np.ndarray], Sequence[np.ndarray]],
    inputs: Sequence[np.ndarray],
    dout: np.ndarray,
    tolerance: float = 1e-7,
) -> None:
    """Every gradient that `backward(dout)` returns is that of `forward(*inputs)`, and not zero."""
    gradients = backward(dout)
    assert len(gradients) == len(inputs)
    for position, (x, dx) in enumerate(zip(inputs, gradients, strict=True)):

        def of_one(value: np.ndarray, position: int = position) -> np.ndarray:
            return forward(*inputs[:position], value, *inputs[position + 1 :])

        numerical = eval_numerical_gradient_array(of_one, x.copy(), dout)
        assert dx.shape == x.shape
        assert np.any(dx != 0), f"gradient {position} is all zero"
        apart, size = np.abs(numerical - dx), np.abs(numerical) + np.abs(dx)
        assert (apart < tolerance * size + ROUNDING).all(), f"gradient {position}"
