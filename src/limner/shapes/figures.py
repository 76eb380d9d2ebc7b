"""Polygons of each kind of figure, in a circle of radius 1.

x points right and y down, as in an image. A part is filled by the even-odd rule, so a loop
inside another one is a hole.
"""

from dataclasses import dataclass
from math import atan2, cos, hypot, pi, sin

Point = tuple[float, float]
Loop = tuple[Point, ...]


@dataclass(frozen=True)
class Part:
    """Closed loops filled together; `tone` makes the figure's colour darker (< 1) or lighter."""

    loops: tuple[Loop, ...]
    tone: float = 1.0


def _ellipse(x: float, y: float, width: float, height: float, points: int = 40) -> Loop:
    """The ellipse around (x, y) with these half axes."""
    turns = (2 * pi * i / points for i in range(points))
    return tuple((x + width * cos(t), y + height * sin(t)) for t in turns)


def _box(left: float, top: float, right: float, bottom: float) -> Loop:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _star(points: int = 5, waist: float = 0.42) -> Loop:
    turns = (pi * i / points - pi / 2 for i in range(2 * points))
    return tuple(
        (r * cos(t), r * sin(t)) for i, t in enumerate(turns) for r in [waist if i % 2 else 1.0]
    )


def _heart(points: int = 48) -> Loop:
    """The heart curve, x = 16 sin³t, scaled to fit."""
    turns = [2 * pi * i / points for i in range(points)]
    return tuple(
        (
            0.93 * sin(t) ** 3,
            -(13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)) / 17.2 - 0.08,
        )
        for t in turns
    )


def _arc(x: float, radius: float, start: float, end: float, points: int = 24) -> Loop:
    """Part of the circle around (x, 0), from one angle to the other."""
    turns = (start + (end - start) * i / points for i in range(points + 1))
    return tuple((x + radius * cos(t), radius * sin(t)) for t in turns)


def _moon(horn: float = 0.27 * pi, shift: float = 0.4) -> Loop:
    """A crescent open to the right: the unit circle less one moved to the right by `shift`."""
    rise, run = sin(horn), cos(horn) - shift
    inner = atan2(rise, run)
    outer_arc = _arc(0, 1, horn, 2 * pi - horn)
    return outer_arc + _arc(shift, hypot(run, rise), 2 * pi - inner, inner)


_TREE_SIDE: Loop = ((0.42, -0.45), (0.2, -0.45), (0.6, 0.05), (0.3, 0.05), (0.78, 0.58))
_TREE: Loop = ((0.0, -1.0), *_TREE_SIDE, *((-x, y) for x, y in reversed(_TREE_SIDE)))
_CROSS: Loop = (
    (-0.3, -0.95),
    (0.3, -0.95),
    (0.3, -0.3),
    (0.95, -0.3),
    (0.95, 0.3),
    (0.3, 0.3),
    (0.3, 0.95),
    (-0.3, 0.95),
    (-0.3, 0.3),
    (-0.95, 0.3),
    (-0.95, -0.3),
    (-0.3, -0.3),
)
_ARROW: Loop = (
    (-0.97, -0.22),
    (0.15, -0.22),
    (0.15, -0.66),
    (0.99, 0.0),
    (0.15, 0.66),
    (0.15, 0.22),
    (-0.97, 0.22),
)

FIGURES: dict[str, tuple[Part, ...]] = {
    "circle": (Part((_ellipse(0, 0, 0.97, 0.97),)),),
    "square": (Part((_box(-0.7, -0.7, 0.7, 0.7),)),),
    "triangle": (Part((((0.0, -0.98), (0.86, 0.5), (-0.86, 0.5)),)),),
    "star": (Part((_star(),)),),
    "heart": (Part((_heart(),)),),
    "ring": (Part((_ellipse(0, 0, 0.98, 0.98), _ellipse(0, 0, 0.66, 0.66))),),
    "cross": (Part((_CROSS,)),),
    "moon": (Part((_moon(),)),),
    "arrow": (Part((_ARROW,)),),
    "house": (
        Part((_box(-0.6, -0.15, 0.6, 0.78),)),
        Part((((0.0, -0.95), (0.85, -0.15), (-0.85, -0.15)),), tone=0.7),
        Part((_box(-0.12, 0.25, 0.2, 0.78),), tone=0.35),
        Part((_box(-0.47, 0.1, -0.22, 0.36),), tone=1.6),
    ),
    "tree": (
        Part((_box(-0.15, 0.5, 0.15, 0.97),), tone=0.45),
        Part((_TREE,)),
    ),
    "fish": (
        Part((((0.35, 0.0), (0.97, -0.5), (0.8, 0.0), (0.97, 0.5)),), tone=0.75),
        Part((_ellipse(-0.25, 0, 0.72, 0.46),)),
        Part((_ellipse(-0.62, -0.1, 0.09, 0.09, 12),), tone=0.15),
    ),
}
"""Every kind's parts, painted in this order."""

KINDS = tuple(FIGURES)
