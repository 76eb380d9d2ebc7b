"""The solver, under the course's path: see `limner.training.course`."""

from limner.training.course import CaptioningSolver

__all__ = ["CaptioningSolver"]
