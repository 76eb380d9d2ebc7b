"""Attention maps: an image whose brightness shows the attention weights of each word.

Source: figure 3 of K. Xu et al., "Show, attend and tell", ICML 2015.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from limner.evaluation.explanation import Choice

SIZE = 224
"""Side of each panel in pixels."""

COLUMNS = 6
LABEL = 30
DARK = 0.25
"""Brightness of a region with attention weight 0."""


def attention_map(image: Image.Image, choices: Sequence[Choice]) -> Image.Image:
    """Draw an image, and a copy for each word with the attention weights as brightness.

    Args:
        image: RGB, of any size; it is resized to a square, as for the backbone.
        choices: of `explain`, for a model with attention over a square grid.

    Returns:
        The panels in rows of six, each word with its probability.
    """
    small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    panels = [(small, "")]
    panels += [(_panel(small, one), f"{one.word} {one.probability:.0%}") for one in choices]
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    sheet = Image.new("RGB", (columns * SIZE, rows * (SIZE + LABEL)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=18)
    for i, (panel, label) in enumerate(panels):
        x, y = i % columns * SIZE, i // columns * (SIZE + LABEL)
        sheet.paste(panel, (x, y))
        draw.text((x + 6, y + SIZE + 3), label, fill="black", font=font)
    return sheet


def _panel(image: Image.Image, choice: Choice) -> Image.Image:
    assert choice.attention is not None
    side = round(len(choice.attention) ** 0.5)
    weights = choice.attention.reshape(side, side) / choice.attention.max()
    mask = Image.fromarray((255 * weights).astype(np.uint8)).resize(
        (SIZE, SIZE), Image.Resampling.BICUBIC
    )
    brightness = DARK + (1 - DARK) * np.asarray(mask, np.float32)[:, :, None] / 255
    return Image.fromarray((np.asarray(image) * brightness).astype(np.uint8))
