"""The contents of an image: groups of figures, a relation, a background.

Lengths are fractions of the image's side, x points right and y down. Captions are
generated from the scene and must be correct for it.
"""

from dataclasses import dataclass, replace

import numpy as np

from limner.shapes.figures import KINDS

COLOURS = {
    "red": (224, 20, 30),
    "yellow": (255, 234, 20),
    "green": (0, 156, 52),
    "blue": (20, 84, 236),
    "purple": (156, 34, 204),
    "black": (26, 26, 28),
    "white": (250, 250, 248),
}

# Each background, and the colors that are hard to see on it.
BACKGROUNDS: dict[str, frozenset[str]] = {
    "white": frozenset({"white", "yellow"}),
    "grey": frozenset(),
    "black": frozenset({"black", "purple", "blue"}),
    "faded": frozenset({"white", "yellow"}),
    "striped": frozenset({"white", "yellow"}),
    "dotted": frozenset({"white", "yellow"}),
    "grid": frozenset({"white", "yellow"}),
    "checked": frozenset({"red", "white"}),
    "meadow": frozenset({"green", "blue"}),
    "night": frozenset({"black", "purple", "blue"}),
    "bricks": frozenset({"red"}),
}

# Probability of each arrangement.
ARRANGEMENTS = {"alone": 0.34, "pair": 0.34, "nested": 0.12, "row": 0.12, "crowd": 0.08}
CONTAINERS = ("circle", "square", "ring", "heart")
VERTICAL_SHARE = 0.6  # of the pairs; the others are horizontal
EDGE = 0.03  # smallest distance to the image's edge
GAP = (0.02, 0.08)  # between neighbours
STRAY = 0.05  # largest deviation of a figure from its line
TURN_DEGREES = 10.0  # of a figure, either way
TILT_DEGREES = 3.0  # of the camera, either way

# Radii. Every large radius exceeds every small one.
ALONE = {"large": (0.3, 0.42), "small": (0.14, 0.17)}
PAIRED = {"large": (0.19, 0.215), "small": (0.13, 0.15)}
CONTAINER_RADIUS, CONTENT_RADIUS = (0.38, 0.44), (0.14, 0.17)
ROW_RADIUS = {2: (0.16, 0.21), 3: (0.11, 0.13)}
CROWD_RADIUS = (0.15, 0.19)


@dataclass(frozen=True)
class Figure:
    """A figure: center and radius of the circle around it, and its rotation in degrees."""

    x: float
    y: float
    radius: float
    turn: float


@dataclass(frozen=True)
class Group:
    """One to three figures of one kind and colour; `size` is None if captions omit it."""

    kind: str
    colour: str
    size: str | None
    layout: str
    """"alone", "row" or "column"."""
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Scene:
    """An image's contents; `relation` is that of the first group to the second.

    It is "above", "below", "left", "right" or "inside", and None when there is one group.
    """

    background: str
    groups: tuple[Group, ...]
    relation: str | None
    tilt: float


def compose(rng: np.random.Generator) -> Scene:
    """Sample a scene.

    Args:
        rng: the random generator.

    >>> scene = compose(np.random.default_rng([0, 3]))
    >>> 1 <= len(scene.groups) <= 2
    True
    """
    background = str(rng.choice(list(BACKGROUNDS)))
    seen = [c for c in COLOURS if c not in BACKGROUNDS[background]]
    kinds, colours = rng.permutation(KINDS), rng.permutation(seen)
    looks = [(str(kind), str(colour)) for kind, colour in zip(kinds, colours, strict=False)]
    arrangement = rng.choice(list(ARRANGEMENTS), p=list(ARRANGEMENTS.values()))
    groups, relation = _ARRANGERS[str(arrangement)](rng, looks)
    return Scene(background, groups, relation, float(rng.uniform(-TILT_DEGREES, TILT_DEGREES)))


Look = tuple[str, str]
Arranged = tuple[tuple[Group, ...], str | None]


def _alone(rng: np.random.Generator, looks: list[Look]) -> Arranged:
    size = _size(rng)
    radius = rng.uniform(*ALONE[size])
    x, y = rng.uniform(EDGE + radius, 1 - EDGE - radius, 2)
    return (Group(*looks[0], size, "alone", (_figure(rng, x, y, radius),)),), None


def _pair(rng: np.random.Generator, looks: list[Look]) -> Arranged:
    sizes = [_size(rng), _size(rng)]
    radii = [rng.uniform(*PAIRED[size]) for size in sizes]
    vertical = bool(rng.random() < VERTICAL_SHARE)
    figures = _line(rng, radii, vertical)
    groups = [
        Group(*look, size, "alone", (figure,))
        for look, size, figure in zip(looks, sizes, figures, strict=False)
    ]
    if rng.random() < 0.5:  # more captions begin with the first group
        return tuple(groups), "above" if vertical else "left"
    return tuple(reversed(groups)), "below" if vertical else "right"


def _nested(rng: np.random.Generator, looks: list[Look]) -> Arranged:
    (kind, colour), (_, container_colour) = looks[:2]
    container_kind = str(rng.choice([c for c in CONTAINERS if c != kind]))
    radius = rng.uniform(*CONTAINER_RADIUS)
    x, y = rng.uniform(EDGE + radius, 1 - EDGE - radius, 2)
    outer = _figure(rng, x, y, radius)
    inner = _figure(rng, x, y, rng.uniform(*CONTENT_RADIUS))
    content = Group(kind, colour, "small", "alone", (inner,))
    return (content, Group(container_kind, container_colour, "large", "alone", (outer,))), "inside"


def _row(rng: np.random.Generator, looks: list[Look]) -> Arranged:
    count = int(rng.integers(2, 4))
    vertical = bool(rng.random() < VERTICAL_SHARE / 2)
    radius = rng.uniform(*ROW_RADIUS[count])
    figures = _line(rng, [radius] * count, vertical)
    return (Group(*looks[0], None, "column" if vertical else "row", figures),), None


def _crowd(rng: np.random.Generator, looks: list[Look]) -> Arranged:
    """Two equal figures in a row, and one other above or below them."""
    radii = [rng.uniform(*CROWD_RADIUS) for _ in range(2)]
    upper, lower = _line(rng, radii, vertical=True)
    row = _line(rng, [radii[0]] * 2, vertical=False)
    pair = tuple(replace(figure, y=upper.y) for figure in row)
    single = replace(lower, x=(row[0].x + row[1].x) / 2)
    flip = bool(rng.random() < 0.5)
    if flip:
        pair = tuple(replace(figure, y=1 - figure.y) for figure in pair)
        single = replace(single, y=1 - single.y)
    twins = Group(*looks[0], None, "row", pair)
    other = Group(*looks[1], None, "alone", (single,))
    return (twins, other), "below" if flip else "above"


_ARRANGERS = {"alone": _alone, "pair": _pair, "nested": _nested, "row": _row, "crowd": _crowd}


def _line(rng: np.random.Generator, radii: list[float], vertical: bool) -> tuple[Figure, ...]:
    """Figures along a line, downwards or to the right, without overlap."""
    gaps = rng.uniform(*GAP, len(radii) - 1)
    length = 2 * sum(radii) + gaps.sum()
    start = EDGE + rng.uniform(0, max(0.0, 1 - 2 * EDGE - length))
    along = start + np.cumsum([2 * r for r in radii]) - radii + np.append(0.0, np.cumsum(gaps))
    reach = EDGE + max(radii) + STRAY
    across = rng.uniform(reach, 1 - reach) + rng.uniform(-STRAY, STRAY, len(radii))
    xs, ys = (across, along) if vertical else (along, across)
    return tuple(_figure(rng, x, y, r) for x, y, r in zip(xs, ys, radii, strict=True))


def _figure(rng: np.random.Generator, x: float, y: float, radius: float) -> Figure:
    turn = rng.uniform(-TURN_DEGREES, TURN_DEGREES)
    return Figure(float(x), float(y), float(radius), float(turn))


def _size(rng: np.random.Generator) -> str:
    return str(rng.choice(["large", "small"]))
