import numpy as np
from PIL import Image

from limner.evaluation.attention_map import LABEL, SIZE, attention_map
from limner.evaluation.explanation import Choice


def test_attended_region_is_bright():
    look = np.full(49, 0.01)
    look[8] = 0.52  # second row, second column
    choices = [Choice("dog", 0.9, (), look)] * 7
    sheet = attention_map(Image.new("RGB", (400, 300), "white"), choices)
    assert sheet.size == (6 * SIZE, 2 * (SIZE + LABEL))
    panel = np.asarray(sheet)[:SIZE, SIZE : 2 * SIZE, 0]
    assert panel[48, 48] > 250
    assert panel[200, 200] < 80
    assert (np.asarray(sheet)[:SIZE, :SIZE] == 255).all()  # the image as it is
