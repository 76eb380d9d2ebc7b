"""Numerical gradients, to check backward passes.

The central difference `(f(x + h) - f(x - h)) / 2h` has an error of O(h^2): with float64 and h =
1e-5 it agrees with a correct gradient to about 1e-8.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from limner.typing import Array, Float


def rel_error(x: Array | float, y: Array | float) -> float:
    """The largest `|x - y| / max(1e-8, |x| + |y|)` of all entries.

    Args:
        x, y: arrays of the same shape, or numbers.

    Returns:
        0 for equal arrays, at most 1.

    >>> rel_error(1.0, 1.0 + 2e-6) < 1.1e-6
    True
    """
    x, y = np.asarray(x), np.asarray(y)
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y))))


def eval_numerical_gradient(
    f: Callable[[Array], float], x: Float[Array, "..."], verbose: bool = True, h: float = 1e-5
) -> Float[Array, "..."]:
    """The numerical gradient of a scalar function.

    Args:
        f: takes x, returns a number. It may instead read the array `x` from elsewhere, as a model
            reads its parameters: x is changed in place.
        x: the point, any shape, float64; restored at the end.
        verbose: print index and derivative of each entry.
        h: the step.

    Returns:
        The gradient, with the shape of x.

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
    """The numerical gradient of `sum(f(x) * df)`, which a backward pass computes from `df`.

    Args:
        f: takes x, returns an array.
        x: the point, any shape, float64; restored at the end.
        df: the upstream gradient, with the shape of f(x).
        h: the step.

    Returns:
        The gradient, with the shape of x.

    >>> x, df = np.array([1.0, 3.0]), np.array([1.0, 2.0])
    >>> eval_numerical_gradient_array(np.square, x, df).round(6)
    array([ 2., 12.])
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
    """Compare a gradient with the numerical one at random entries, and print each comparison.

    Args:
        f: takes x, returns one number.
        x: the point, float64; restored at the end.
        analytic_grad: the gradient to check, with the shape of x.
        num_checks: number of entries.
        h: the step.
        rng: chooses the entries; None is NumPy's global state, as in the course.

    Returns:
        The largest relative error.
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
    """`f(x + h) - f(x - h)`, with h added to one entry of x, which is restored."""
    kept = x[index]
    x[index] = kept + h
    above = np.copy(f(x))  # f may reuse its array
    x[index] = kept - h
    below = f(x)
    x[index] = kept
    return above - below
