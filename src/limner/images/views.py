"""Augmented views of training images.

View 1 is the mirror image; every other one is a random crop, mirrored with probability 1/2.
"""

import zlib

import numpy as np
from PIL import Image, ImageOps

SMALLEST = 0.6
"""Minimum share of the area in a crop, before its aspect ratio is changed."""

STRETCH = 0.05
"""Maximum change of the aspect ratio of a crop."""


def view_of(image: Image.Image, view: int, name: str) -> Image.Image:
    """One view of an image, which depends only on the arguments.

    Args:
        image: the image.
        view: number of the view; 0 is the image itself.
        name: of the image; seeds the random crop.

    Returns:
        An RGB image.

    >>> image = Image.new("RGB", (200, 100))
    >>> view_of(image, 2, "a.jpg").size, view_of(image, 2, "b.jpg").size
    ((162, 78), (174, 83))
    """
    if view == 0:
        return image
    if view == 1:
        return ImageOps.mirror(image)
    rng = np.random.default_rng([view, zlib.crc32(name.encode("utf-8", "surrogateescape"))])
    side = np.sqrt(rng.uniform(SMALLEST, 1))
    shares = np.minimum(side * rng.uniform(1 - STRETCH, 1 + STRETCH, size=2), 1)
    size = np.maximum(np.round(shares * image.size), 1).astype(int)
    corner = rng.integers(np.array(image.size) - size + 1)
    box = (*corner.tolist(), *(corner + size).tolist())
    cropped = image.crop(box)
    return ImageOps.mirror(cropped) if rng.random() < 0.5 else cropped
