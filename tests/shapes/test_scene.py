"""Scenes: everything on the canvas, nothing touching, every arrangement drawn."""

from collections import Counter
from itertools import combinations
from math import hypot

import numpy as np
import pytest

from limner.shapes.figures import KINDS
from limner.shapes.scene import (
    ARRANGEMENTS,
    BACKGROUNDS,
    COLOURS,
    Figure,
    Scene,
    compose,
)

SCENES = [compose(np.random.default_rng([7, index])) for index in range(1000)]


def figures(scene: Scene) -> list[Figure]:
    return [figure for group in scene.groups for figure in group.figures]


def tilted(figure: Figure, degrees: float) -> tuple[float, float]:
    """Where the figure's middle is in the image, once the camera has turned."""
    x, y, turn = figure.x - 0.5, figure.y - 0.5, np.radians(degrees)
    return (
        0.5 + x * np.cos(turn) - y * np.sin(turn),
        0.5 + x * np.sin(turn) + y * np.cos(turn),
    )


def test_every_figure_is_inside_the_image() -> None:
    for scene in SCENES:
        for figure in figures(scene):
            for at in tilted(figure, scene.tilt):
                assert figure.radius <= at <= 1 - figure.radius


def test_figures_do_not_touch_unless_one_is_inside_the_other() -> None:
    for scene in SCENES:
        for a, b in combinations(figures(scene), 2):
            distance = hypot(a.x - b.x, a.y - b.y)
            if scene.relation == "inside":
                assert distance + a.radius < 0.62 * b.radius
            else:
                assert distance > a.radius + b.radius


def test_groups_differ_from_each_other_and_the_background() -> None:
    for scene in SCENES:
        assert len({group.kind for group in scene.groups}) == len(scene.groups)
        assert len({group.colour for group in scene.groups}) == len(scene.groups)
        assert not BACKGROUNDS[scene.background] & {group.colour for group in scene.groups}
        assert (scene.relation is None) == (len(scene.groups) == 1)


def test_whatever_is_large_is_larger_than_whatever_is_small() -> None:
    radii = {
        size: [g.figures[0].radius for s in SCENES for g in s.groups if g.size == size]
        for size in ("large", "small")
    }
    assert min(len(found) for found in radii.values()) > 200
    assert min(radii["large"]) > 1.1 * max(radii["small"])


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (Counter(g.kind for s in SCENES for g in s.groups), set(KINDS)),
        (Counter(g.colour for s in SCENES for g in s.groups), set(COLOURS)),
        (Counter(s.background for s in SCENES), set(BACKGROUNDS)),
        (
            Counter(s.relation for s in SCENES),
            {None, "above", "below", "left", "right", "inside"},
        ),
        (Counter(len(figures(s)) for s in SCENES), {1, 2, 3}),
    ],
    ids=["kinds", "colours", "backgrounds", "relations", "counts"],
)
def test_compose_uses_every_value(drawn: Counter[object], expected: set[object]) -> None:
    assert set(drawn) == expected
    assert min(drawn.values()) > 40


def test_the_arrangements_shares_add_up() -> None:
    assert sum(ARRANGEMENTS.values()) == pytest.approx(1)
