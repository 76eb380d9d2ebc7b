"""Learning rate schedules: a factor on the learning rate.

Arguments are `done`, the progress of a phase from 0 to 1, and `warmup`, the share of the warm-up.

Source of one-cycle: L. N. Smith and N. Topin, "Super-convergence", 2018; of the cosine:
I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
"""

import math
from collections.abc import Callable


def constant(done: float, warmup: float) -> float:
    """Linear warm-up, then 1."""
    return done / warmup if done < warmup else 1.0


def cosine(done: float, warmup: float) -> float:
    """Linear warm-up, then half a cosine down to 0.

    >>> [round(cosine(done, 0.2), 2) for done in (0.1, 0.2, 0.6, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if done < warmup:
        return done / warmup
    return (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2


def one_cycle(done: float, warmup: float) -> float:
    """Half a cosine from 1/25 to 1 during warm-up, then another down to 1/250000.

    >>> [round(one_cycle(done, 0.2), 2) for done in (0.0, 0.1, 0.2, 0.6, 1.0)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    if done < warmup:
        share, low = (1 - math.cos(math.pi * done / warmup)) / 2, 1 / 25
    else:
        share, low = cosine(done, warmup), 1 / 250_000
    return low + (1 - low) * share


SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "constant": constant,
    "cosine": cosine,
    "one-cycle": one_cycle,
}
"""By name: (progress, share of warm-up) -> factor."""
