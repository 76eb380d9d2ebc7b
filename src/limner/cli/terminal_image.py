"""Draw an image at the terminal: two pixels per character, one above the other, 24-bit colors."""

import numpy as np
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

WIDTH, HEIGHT = 48, 36
"""Maximum width in characters, and height in pixels."""


def draw(image: Image.Image, width: int = WIDTH, height: int = HEIGHT) -> Text:
    """Draw an RGB image as lines of upper half blocks.

    >>> drawn = draw(Image.new("RGB", (4, 4), "red"), 2, 2)
    >>> drawn.plain, drawn.spans[0].style.color.triplet.hex
    ('▀▀', '#ff0000')
    """
    scale = min(width / image.width, height / image.height)
    columns = max(round(image.width * scale), 1)
    rows = max(round(image.height * scale / 2), 1)
    pixels = np.asarray(image.resize((columns, 2 * rows), Image.Resampling.LANCZOS))
    text = Text(no_wrap=True)
    for row in range(rows):
        text.append("\n" if row else "")
        pairs = pixels[2 * row : 2 * row + 2].swapaxes(0, 1)
        for above, below in pairs.tolist():
            text.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
    return text
