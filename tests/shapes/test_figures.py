"""Figures: they fill their circle without leaving it, and no two look alike."""

from itertools import combinations
from math import hypot

import numpy as np
import pytest
from PIL import Image, ImageDraw

from limner.shapes.figures import FIGURES, KINDS

SIDE = 64


def silhouette(kind: str) -> np.ndarray:
    """The pixels that the figure's parts cover, (SIDE, SIDE), bool."""
    mask = Image.new("1", (SIDE, SIDE))
    for part in FIGURES[kind]:
        points = [point for loop in part.loops for point in (*loop, loop[0])]
        scaled = [((x + 1) * SIDE / 2, (y + 1) * SIDE / 2) for x, y in points]
        ImageDraw.Draw(mask).polygon(scaled, fill=1)
    return np.array(mask)


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_reaches_the_edge_of_its_circle_and_stays_inside(kind: str) -> None:
    points = [point for part in FIGURES[kind] for loop in part.loops for point in loop]
    assert 0.95 <= max(hypot(x, y) for x, y in points) <= 1.1
    assert max(abs(value) for point in points for value in point) <= 1


@pytest.mark.parametrize(("one", "other"), [*combinations(KINDS, 2)])
def test_kinds_of_figures_differ_in_a_fifth_of_their_area(one: str, other: str) -> None:
    a, b = silhouette(one), silhouette(other)
    assert (a ^ b).sum() > 0.2 * (a | b).sum()


def test_a_ring_has_a_hole() -> None:
    mask = silhouette("ring")
    assert not mask[SIDE // 2, SIDE // 2]
    assert mask[SIDE // 2, SIDE // 10]
