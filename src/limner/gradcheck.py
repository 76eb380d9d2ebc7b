"""Numerical gradients: the judge of every backward pass written by hand.

A central difference, `(f(x + h) - f(x - h)) / 2h`, is exact to O(h^2). With float64 and h = 1e-5
it agrees with a right gradient to about 1e-8, and with a wrong one hardly ever.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from limner.typing import Array, Float


def rel_error(x: Array | float, y: Array | float) -> float:
    """The largest `|x - y| / max(1e-8, |x| + |y|)` of all entries; 0 is equal, 1 is unrelated.

    >>> rel_error(1.0, 1.0 + 2e-6) < 1.1e-6
    True
    """
    x, y = np.asarray(x), np.asarray(y)
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y))))


def eval_numerical_gradient(
    f: Callable[[Array], float], x: Float[Array, "..."], verbose: bool = True, h: float = 1e-5
) -> Float[Array, "..."]:
    """The gradient of a number `f(x)` at x, entry by entry.

    Args:
        f: takes x, returns one number. It may also ignore its argument and read the very array
            `x` from elsewhere, as a model reads its parameters: x is changed in place meanwhile.
        x: the point, any shape, float64; as it was when the function returns.
        verbose: print every entry's index and slope.
        h: half the distance between the two points.

    >>> import numpy as np
    >>> eval_numerical_gradient(lambda x: float((x**2).sum()), np.array([1.0, 3.0]), False).round(6)
    array([2., 6.])
    """
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        grad[index] = _difference(f, x, index, h) / (2 * h)
        if verbose:
            print(index, grad[index])
    return grad


def eval_numerical_gradient_array(
    f: Callable[[Array], Array], x: Float[Array, "..."], df: Float[Array, "..."], h: float = 1e-5
) -> Float[Array, "..."]:
    """The gradient of `sum(f(x) * df)` at x: what a backward pass returns for the gradient `df`.

    Args:
        f: takes x, returns an array.
        x: the point, any shape, float64; as it was when the function returns.
        df: the gradient that reaches f's result, shaped like it.
        h: half the distance between the two points.
    """
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        grad[index] = np.sum(_difference(f, x, index, h) * df) / (2 * h)
    return grad


def grad_check_sparse(
    f: Callable[[Array], float],
    x: Float[Array, "..."],
    analytic_grad: Float[Array, "..."],
    num_checks: int = 10,
    h: float = 1e-5,
    rng: np.random.Generator | None = None,
) -> float:
    """Compare a gradient with the numerical one at a few random entries, and print each.

    Args:
        f: takes x, returns one number.
        x: the point, float64; as it was when the function returns.
        analytic_grad: what the backward pass says, shaped like x.
        num_checks: how many entries.
        h: half the distance between the two points.
        rng: chooses the entries; None takes NumPy's global state, as the course does.

    Returns:
        The largest relative error that was printed.
    """
    worst = 0.0
    for _ in range(num_checks):
        draw = np.random.randint if rng is None else rng.integers
        index = tuple(int(draw(size)) for size in x.shape)
        numerical = _difference(f, x, index, h) / (2 * h)
        analytic = float(analytic_grad[index])
        error = rel_error(numerical, analytic)
        worst = max(worst, error)
        print(f"numerical: {numerical:f} analytic: {analytic:f}, relative error: {error:e}")
    return worst


def _difference(f: Callable[[Array], Any], x: Array, index: tuple[int, ...], h: float) -> Any:
    """`f(x + h) - f(x - h)`, with h added to one entry of x, which is put back."""
    kept = x[index]
    x[index] = kept + h
    above = np.copy(f(x))  # f may give an array that it changes at the next call
    x[index] = kept - h
    below = f(x)
    x[index] = kept
    return above - below
