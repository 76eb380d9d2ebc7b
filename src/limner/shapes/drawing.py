"""Generate images of the built-in dataset, single or as a folder."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from limner.io import write_atomically
from limner.shapes.grammar import describe
from limner.shapes.paint import paint
from limner.shapes.scene import Scene, compose

JPEG_QUALITY = 90


@dataclass(frozen=True)
class Drawing:
    """An image, its file name, five correct captions, and its scene."""

    name: str
    image: Image.Image
    captions: tuple[str, ...]
    scene: Scene


def draw(index: int, *, seed: int = 0, size: int = 224) -> Drawing:
    """Draw one image; deterministic.

    Args:
        index: number of the image, from 0.
        seed: random seed, from 0.
        size: side of the image in pixels; scene and captions do not depend on it.

    Returns:
        The image with its captions.

    Raises:
        ValueError: if `index` or `seed` is negative, or `size` below 32.

    >>> drawing = draw(17)
    >>> drawing.name, drawing.image.size, len(drawing.captions)
    ('shapes-000017.jpg', (224, 224), 5)
    """
    if index < 0 or seed < 0 or size < 32:
        raise ValueError(
            f"index and seed must be 0 or more and size at least 32, got {index=}, {seed=}, {size=}"
        )
    rng = np.random.default_rng([seed, index])
    scene = compose(rng)
    captions = describe(scene, rng)
    return Drawing(f"shapes-{index:06d}.jpg", paint(scene, size, rng), captions, scene)


def write_folder(
    folder: Path,
    count: int = 2000,
    *,
    seed: int = 0,
    size: int = 224,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write `folder/images/*.jpg` and `folder/captions.csv` (UTF-8; columns image, caption).

    Files are written atomically, `captions.csv` last: its presence means that all images are
    complete. An earlier dataset is replaced; its images beyond `count` stay, without captions.

    Args:
        folder: created if missing.
        count: number of images.
        seed, size: as for `draw`.
        progress: called with the number of images written, after each one.

    Raises:
        ValueError: as `draw`, or if `count` is below 1.
        OSError, LimnerError: if the folder cannot be written.

    >>> write_folder(Path("shapes"), 2000)  # doctest: +SKIP
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    images, table = folder / "images", folder / "captions.csv"
    images.mkdir(parents=True, exist_ok=True)
    table.unlink(missing_ok=True)
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("image", "caption"))
    for index in range(count):
        drawing = draw(index, seed=seed, size=size)
        part = images / f"{drawing.name}.part"
        drawing.image.save(part, "JPEG", quality=JPEG_QUALITY)
        part.replace(images / drawing.name)
        writer.writerows((drawing.name, caption) for caption in drawing.captions)
        if progress is not None:
            progress(index + 1)
    write_atomically(table, lines.getvalue())
