import numpy as np
from PIL import Image

from limner.cli.terminal_image import draw


def colours(text):
    """(above, below) of every character, by line."""
    lines = [[]]
    spans = {span.start: span.style for span in text.spans}
    for place, character in enumerate(text.plain):
        if character == "\n":
            lines.append([])
        else:
            style = spans[place]
            lines[-1].append((tuple(style.color.triplet), tuple(style.bgcolor.triplet)))
    return lines


def test_draw_two_pixels_per_character():
    pixels = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3) * 5
    drawn = colours(draw(Image.fromarray(pixels), 3, 4))
    assert len(drawn) == 2
    for row, line in enumerate(drawn):
        assert [above for above, _ in line] == [tuple(p) for p in pixels[2 * row].tolist()]
        assert [below for _, below in line] == [tuple(p) for p in pixels[2 * row + 1].tolist()]


def test_draw_keeps_aspect_ratio():
    for size, (columns, rows) in {
        (640, 480): (40, 15),
        (480, 640): (22, 15),
        (5000, 1): (40, 1),
        (1, 5000): (1, 15),
    }.items():
        lines = draw(Image.new("RGB", size), 40, 30).plain.split("\n")
        assert (len(lines[0]), len(lines)) == (columns, rows)
