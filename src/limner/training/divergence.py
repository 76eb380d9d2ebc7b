"""Detection of divergence: a huge loss, or a loss or parameter that is not finite."""

import math
from collections.abc import Mapping

import numpy as np

from limner.training.solver import Solver
from limner.typing import Array

EXPLODED = 5.0
"""A loss this many times that of the first step counts as divergence."""


def divergence(solver: Solver, params: Mapping[str, Array], check_params: bool) -> str | None:
    """Describe a divergence after a step; None if there is none.

    Args:
        solver: after the step.
        params: the parameters.
        check_params: check every parameter, too, not only the loss.
    """
    loss, first = solver.loss_history[-1], solver.loss_history[0]
    if not math.isfinite(loss):
        bad = _first_bad(params)
        return f"the loss became {loss}{f' and {bad}' if bad else ''}"
    if solver.phase.objective.measure == "loss" and loss > EXPLODED * first:
        largest = max(params, key=lambda name: np.abs(params[name]).max())
        return (
            f"the loss became {loss:.4g}, after {first:.4g} at first, and the parameter {largest} "
            "the largest,"
        )
    return _first_bad(params) if check_params else None


def _first_bad(params: Mapping[str, Array]) -> str | None:
    for name, param in params.items():
        if not np.isfinite(param).all():
            return f"the parameter {name} is no longer a number"
    return None
