"""Backgrounds: paper, cloth, a meadow, a brick wall.

Each painter returns a square RGB image of `side` pixels; `tone` varies its colours a little.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

RGB = tuple[int, int, int]

COLOUR_DRIFT = 8  # largest deviation from the colors below, of 255
PERIOD = (9, 13)  # number of stripes, squares or lines across the image

_PALE = ((238, 228, 206), (208, 226, 236), (224, 236, 208), (236, 218, 226))
_DEEPER = ((206, 188, 152), (160, 190, 210), (180, 204, 156), (206, 172, 190))


def _drift(colour: RGB, rng: np.random.Generator) -> RGB:
    r, g, b = np.clip(colour + rng.integers(-COLOUR_DRIFT, COLOUR_DRIFT + 1, 3), 0, 255).tolist()
    return r, g, b


def _plain(colour: RGB) -> Callable[[int, np.random.Generator], Image.Image]:
    return lambda side, rng: Image.new("RGB", (side, side), _drift(colour, rng))


def _pale_pair(rng: np.random.Generator) -> tuple[RGB, RGB]:
    choice = int(rng.integers(len(_PALE)))
    return _drift(_PALE[choice], rng), _drift(_DEEPER[choice], rng)


def _ramp(top: RGB, bottom: RGB, side: int) -> Image.Image:
    """A vertical gradient."""
    column = np.linspace(top, bottom, side).astype(np.uint8)
    return Image.fromarray(column[:, None]).resize((side, side), Image.Resampling.NEAREST)


def _faded(side: int, rng: np.random.Generator) -> Image.Image:
    pale, _ = _pale_pair(rng)
    _, deeper = _pale_pair(rng)
    return _ramp(pale, deeper, side)


def _striped(side: int, rng: np.random.Generator) -> Image.Image:
    pale, deeper = _pale_pair(rng)
    image = Image.new("RGB", (side, side), pale)
    draw = ImageDraw.Draw(image)
    step = side / int(rng.integers(*PERIOD, endpoint=True))
    for left in np.arange(0, side, step):
        draw.rectangle((left, 0, left + step / 2, side), fill=deeper)
    return image


def _dotted(side: int, rng: np.random.Generator) -> Image.Image:
    pale, deeper = _pale_pair(rng)
    image = Image.new("RGB", (side, side), pale)
    draw = ImageDraw.Draw(image)
    step = side / int(rng.integers(*PERIOD, endpoint=True))
    radius = step / 5
    for row, y in enumerate(np.arange(step / 2, side + step, step)):
        for x in np.arange(step / 2 * (row % 2), side + step, step):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=deeper)
    return image


def _grid(side: int, rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (side, side), _drift((244, 246, 246), rng))
    draw = ImageDraw.Draw(image)
    step = side / int(rng.integers(*PERIOD, endpoint=True))
    line, width = _drift((120, 160, 200), rng), max(1, side // 150)
    for at in np.arange(step / 2, side, step):
        draw.line((at, 0, at, side), fill=line, width=width)
        draw.line((0, at, side, at), fill=line, width=width)
    return image


def _checked(side: int, rng: np.random.Generator) -> Image.Image:
    """A tablecloth: red where two bands cross, pink where there is one, white where none is."""
    step = side / int(rng.integers(*PERIOD, endpoint=True))
    band = (np.arange(side) / step % 1 < 0.5).astype(np.uint8)
    image = Image.fromarray(band[:, None] + band[None, :])
    colours = [_drift(c, rng) for c in ((246, 240, 236), (232, 170, 166), (206, 92, 92))]
    image.putpalette([value for colour in colours for value in colour])
    return image.convert("RGB")


def _meadow(side: int, rng: np.random.Generator) -> Image.Image:
    """Sky above grass, with the horizon near the middle."""
    image = _ramp(_drift((110, 176, 236), rng), _drift((206, 232, 248), rng), side)
    draw = ImageDraw.Draw(image)
    horizon = side * rng.uniform(0.45, 0.55)
    draw.rectangle((0, horizon, side, side), fill=_drift((112, 176, 74), rng))
    blade, length = _drift((80, 140, 52), rng), side / 40
    for x, y in rng.uniform((0, horizon), (side, side), (160, 2)):
        draw.line((x, y, x + length / 3, y - length), fill=blade, width=max(1, side // 200))
    return image


def _night(side: int, rng: np.random.Generator) -> Image.Image:
    image = _ramp(_drift((12, 14, 48), rng), _drift((44, 44, 104), rng), side)
    draw = ImageDraw.Draw(image)
    for x, y in rng.uniform(0, side, (70, 2)):
        draw.ellipse((x, y, x + side / 130, y + side / 130), fill=(226, 226, 210))
    return image


def _bricks(side: int, rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (side, side), _drift((206, 196, 184), rng))
    draw = ImageDraw.Draw(image)
    height = side / int(rng.integers(*PERIOD, endpoint=True))
    width, mortar = 2.2 * height, max(1.0, height / 10)
    for row, top in enumerate(np.arange(0, side, height)):
        for left in np.arange(-width / 2 * (row % 2), side, width):
            box = (left, top, left + width - mortar, top + height - mortar)
            draw.rectangle(box, fill=_drift((164, 88, 68), rng))
    return image


PAINTERS: dict[str, Callable[[int, np.random.Generator], Image.Image]] = {
    "white": _plain((246, 246, 244)),
    "grey": _plain((146, 148, 150)),
    "black": _plain((26, 26, 28)),
    "faded": _faded,
    "striped": _striped,
    "dotted": _dotted,
    "grid": _grid,
    "checked": _checked,
    "meadow": _meadow,
    "night": _night,
    "bricks": _bricks,
}
"""By the keys of `scene.BACKGROUNDS`."""
