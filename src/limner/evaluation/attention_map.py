"""An image of where a model looked before every word.

The look's weights are drawn as light: a place that got the whole look is bright, one that got
nothing is dark. Source: figure 3 of K. Xu et al., "Show, attend and tell", ICML 2015.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from limner.evaluation.explanation import Choice

SIZE = 224
"""Pixels of a side of each small image."""

COLUMNS = 6
LABEL = 30
DARK = 0.25
"""How bright a place is that gets no look."""


def attention_map(image: Image.Image, choices: Sequence[Choice]) -> Image.Image:
    """The image once as it is, and once for every word, lit where the model looked.

    Args:
        image: any size, RGB; it is squashed to a square, as the backbone sees it.
        choices: of `explain`, of a model with attention whose grid is a square.
    """
    small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    panels = [(small, "")]
    panels += [(_lit(small, one), f"{one.word} {one.probability:.0%}") for one in choices]
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    sheet = Image.new("RGB", (columns * SIZE, rows * (SIZE + LABEL)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=18)
    for place, (panel, label) in enumerate(panels):
        x, y = place % columns * SIZE, place // columns * (SIZE + LABEL)
        sheet.paste(panel, (x, y))
        draw.text((x + 6, y + SIZE + 3), label, fill="black", font=font)
    return sheet


def _lit(image: Image.Image, choice: Choice) -> Image.Image:
    assert choice.look is not None
    side = round(len(choice.look) ** 0.5)
    light = choice.look.reshape(side, side) / choice.look.max()
    mask = Image.fromarray((255 * light).astype(np.uint8)).resize(
        (SIZE, SIZE), Image.Resampling.BICUBIC
    )
    brightness = DARK + (1 - DARK) * np.asarray(mask, np.float32)[:, :, None] / 255
    return Image.fromarray((np.asarray(image) * brightness).astype(np.uint8))
