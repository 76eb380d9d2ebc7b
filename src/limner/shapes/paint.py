"""Draw a scene, with the effects of a camera: tilt, blur, uneven light, noise."""

from math import cos, radians, sin

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from limner.shapes.backgrounds import PAINTERS, RGB
from limner.shapes.figures import FIGURES, Loop
from limner.shapes.scene import COLOURS, Figure, Group, Scene
from limner.typing import Array, Float

OVERSAMPLING = 2  # factor, for antialiasing
BORDER = 0.06  # share painted around the image, so that tilting leaves no empty corners
COLOUR_DRIFT = 10  # largest deviation of a figure's color from COLOURS, of 255
OUTLINE_TONE = 0.55
BLUR_SHARE = 1 / 300  # largest blur radius, as a share of the side
LIGHT_LOSS = (0.0, 0.15)  # between the brightest edge and the darkest
LIGHT_DEGREES = 40.0  # largest angle of the light from the vertical
NOISE = (1.0, 6.0)  # standard deviation of a pixel's brightness, of 255


def paint(scene: Scene, size: int, rng: np.random.Generator) -> Image.Image:
    """Draw a scene.

    Args:
        scene: the scene.
        size: side of the RGB image in pixels.
        rng: for colors, light, blur and noise.

    >>> from limner.shapes.scene import compose
    >>> paint(compose(np.random.default_rng(1)), 64, np.random.default_rng(2)).size
    (64, 64)
    """
    side = round(size * OVERSAMPLING * (1 + 2 * BORDER))
    canvas = PAINTERS[scene.background](side, rng)
    for group in reversed(scene.groups):  # the first one may be inside the second
        _draw_group(canvas, group, size * OVERSAMPLING, rng)
    return _photograph(canvas, scene.tilt, size, rng)


def _draw_group(canvas: Image.Image, group: Group, scale: int, rng: np.random.Generator) -> None:
    drift = rng.integers(-COLOUR_DRIFT, COLOUR_DRIFT + 1, 3)
    colour = np.clip(np.asarray(COLOURS[group.colour], float) + drift, 0, 255)
    draw = ImageDraw.Draw(canvas)
    offset = (canvas.width - scale) / 2
    for figure in group.figures:
        placed = _Placed(figure, scale, offset)
        width = max(1, round(placed.radius / 30))
        for part in FIGURES[group.kind]:
            fill, outline = (_shade(colour, part.tone * tone) for tone in (1, OUTLINE_TONE))
            loops = [placed(loop) for loop in part.loops]
            draw.polygon([point for loop in loops for point in loop], fill=fill)
            for loop in loops:
                draw.line(loop, fill=outline, width=width, joint="curve")


class _Placed:
    """Maps points of a unit figure to the canvas: rotates, scales, translates."""

    def __init__(self, figure: Figure, scale: float, offset: float) -> None:
        self.radius = figure.radius * scale
        self.x, self.y = figure.x * scale + offset, figure.y * scale + offset
        self.cos, self.sin = cos(radians(figure.turn)), sin(radians(figure.turn))

    def __call__(self, loop: Loop) -> list[tuple[float, float]]:
        return [
            (
                self.x + self.radius * (x * self.cos - y * self.sin),
                self.y + self.radius * (x * self.sin + y * self.cos),
            )
            for x, y in (*loop, loop[0])
        ]


def _shade(colour: Float[Array, "3"], tone: float) -> RGB:
    r, g, b = np.clip(colour * tone, 0, 255).astype(int).tolist()
    return r, g, b


def _photograph(
    canvas: Image.Image, tilt: float, size: int, rng: np.random.Generator
) -> Image.Image:
    image = _tilted(canvas, tilt, size)
    image = image.filter(ImageFilter.BoxBlur(rng.uniform(0, BLUR_SHARE * size)))
    light = _light(size, rng)
    grain = rng.standard_normal((size, size), np.float32) * np.float32(rng.uniform(*NOISE))
    # A row's channels side by side: broadcasting over a last axis of 3 is five times slower.
    pixels = np.asarray(image, np.float32).reshape(size, 3 * size)
    pixels = pixels * np.repeat(light, 3, axis=1) + np.repeat(grain, 3, axis=1)
    np.clip(pixels, 0, 255, out=pixels)
    return Image.fromarray(pixels.astype(np.uint8).reshape(size, size, 3))


def _tilted(canvas: Image.Image, tilt: float, size: int) -> Image.Image:
    """The middle of the canvas, at its final size, turned by `tilt` degrees clockwise."""
    c, s = OVERSAMPLING * cos(radians(tilt)), OVERSAMPLING * sin(radians(tilt))
    middle, half = canvas.width / 2, size / 2
    affine = (c, s, middle - half * (c + s), -s, c, middle - half * (c - s))
    return canvas.transform((size, size), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)


def _light(size: int, rng: np.random.Generator) -> Float[Array, "size size"]:
    """Brightness, float32: 1 at the side of the light, decreasing away from it."""
    loss, degrees = rng.uniform(*LIGHT_LOSS), rng.uniform(-LIGHT_DEGREES, LIGHT_DEGREES)
    across = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    depth = sin(radians(degrees)) * across[None, :] + cos(radians(degrees)) * across[:, None]
    depth = (depth - depth.min()) / (depth.max() - depth.min())
    return np.asarray(1 - loss * depth, np.float32)
