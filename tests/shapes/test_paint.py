"""Painting: all is where the scene says, and the photograph is not perfect."""

from dataclasses import replace

import numpy as np
import pytest

from limner.shapes.paint import paint
from limner.shapes.scene import COLOURS, Figure, Group, Scene, compose

SIZE = 160


def pixels(scene: Scene, seed: int = 0, size: int = SIZE) -> np.ndarray:
    return np.asarray(paint(scene, size, np.random.default_rng(seed)), float)


def one(kind: str = "circle", colour: str = "red", tilt: float = 0.0, **place: float) -> Scene:
    figure = Figure(**{"x": 0.5, "y": 0.5, "radius": 0.2, "turn": 0.0} | place)
    return Scene("grey", (Group(kind, colour, None, "alone", (figure,)),), None, tilt)


def nearest_colour(patch: np.ndarray) -> str:
    mean = patch.reshape(-1, 3).mean(0)
    return min(COLOURS, key=lambda name: float(np.linalg.norm(mean - COLOURS[name])))


def reddish(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns of the pixels that are clearly red, as shares of the side."""
    image = pixels(scene)
    rows, columns = np.nonzero(image[:, :, 0] - image[:, :, 1:].max(2) > 80)
    assert len(rows) > 100
    return rows / SIZE, columns / SIZE


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("seed", range(3))
def test_a_figure_has_the_colour_that_it_is_called(colour: str, seed: int) -> None:
    middle = slice(SIZE // 2 - 4, SIZE // 2 + 4)
    assert nearest_colour(pixels(one(colour=colour), seed)[middle, middle]) == colour


def test_a_figure_is_where_the_scene_says() -> None:
    rows, columns = reddish(one(x=0.3, y=0.75))
    assert rows.mean() == pytest.approx(0.75, abs=0.01)
    assert columns.mean() == pytest.approx(0.3, abs=0.01)
    assert np.ptp(rows) == pytest.approx(0.4, abs=0.03)


def test_tilt_turns_the_image_clockwise() -> None:
    rows, columns = reddish(one(x=0.8, y=0.5, radius=0.1, tilt=30.0))
    assert columns.mean() == pytest.approx(0.5 + 0.3 * np.cos(np.pi / 6), abs=0.01)
    assert rows.mean() == pytest.approx(0.5 + 0.3 * np.sin(np.pi / 6), abs=0.01)


def test_an_arrow_points_where_it_is_turned() -> None:
    rows, columns = reddish(one("arrow", turn=90.0))
    wide = [np.ptp(columns[(rows > low) & (rows < low + 0.05)]) for low in (0.35, 0.55)]
    assert wide[1] > 1.5 * wide[0]  # the head is below


def test_inner_figure_is_painted_last() -> None:
    inner = one(colour="yellow", radius=0.1).groups[0]
    outer = one("square", "blue", radius=0.4).groups[0]
    image = pixels(replace(one(), groups=(inner, outer), relation="inside"))
    assert nearest_colour(image[76:84, 76:84]) == "yellow"
    assert nearest_colour(image[76:84, 44:52]) == "blue"


def test_tilted_images_have_no_empty_corners() -> None:
    scene = replace(one(radius=0.1), background="white", tilt=3.0)
    corners = pixels(scene)[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.min() > 150


def test_photographs_have_noise_and_uneven_light() -> None:
    images = [pixels(one(radius=0.05), seed) for seed in range(20)]
    grain = [np.diff(image[:40, :, 1], axis=1).std() for image in images]
    falls = [image[:20].mean() - image[-20:].mean() for image in images]
    assert 0.5 < min(grain) < 2.5 < max(grain) < 10
    assert min(falls) < 10
    assert 12 < max(falls) < 30


def test_the_same_scene_and_seed_give_the_same_pixels_at_any_size() -> None:
    scene = compose(np.random.default_rng(3))
    for size in (33, 224):
        first = pixels(scene, 1, size)
        assert first.shape == (size, size, 3)
        np.testing.assert_array_equal(first, pixels(scene, 1, size))
        assert (first != pixels(scene, 2, size)).any()
