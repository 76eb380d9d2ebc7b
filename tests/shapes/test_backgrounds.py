"""Backgrounds: they can be told apart, and no permitted colour is lost on them."""

import numpy as np
import pytest

from limner.shapes.backgrounds import PAINTERS
from limner.shapes.scene import BACKGROUNDS, COLOURS


@pytest.mark.parametrize("name", BACKGROUNDS)
@pytest.mark.parametrize("seed", range(3))
def test_permitted_colours_have_contrast(name: str, seed: int) -> None:
    image = PAINTERS[name](96, np.random.default_rng(seed))
    pixels = np.asarray(image, float).reshape(-1, 3)
    for colour in set(COLOURS) - BACKGROUNDS[name]:
        distance = np.linalg.norm(pixels - COLOURS[colour], axis=1)
        assert np.mean(distance < 60) < 0.05, colour


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_a_background_is_the_same_for_a_seed_and_another_for_another(name: str) -> None:
    first, again, other = (
        np.asarray(PAINTERS[name](96, np.random.default_rng(seed))) for seed in (1, 1, 2)
    )
    assert first.shape == (96, 96, 3)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(("name", "axis"), [("faded", 1), ("striped", 0)])
def test_patterns_run_the_way_they_are_named(name: str, axis: int) -> None:
    pixels = np.asarray(PAINTERS[name](96, np.random.default_rng(0)), float)
    assert np.ptp(pixels, axis=axis).max() == 0
    assert np.ptp(pixels, axis=1 - axis).max() > 20


def test_a_meadow_has_its_sky_above_its_grass() -> None:
    pixels = np.asarray(PAINTERS["meadow"](96, np.random.default_rng(0)), float)
    sky, grass = pixels[:40].mean((0, 1)), pixels[56:].mean((0, 1))
    assert sky.argmax() == 2
    assert grass.argmax() == 1
