"""The solver, under the course's path: see `limner.solver`."""

from limner.solver import CaptioningSolver

__all__ = ["CaptioningSolver"]
