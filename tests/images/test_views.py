import numpy as np
import pytest
from PIL import Image

from limner.images.views import SMALLEST, view_of


@pytest.fixture
def image(rng):
    return Image.fromarray(rng.integers(256, size=(60, 80, 3), dtype=np.uint8))


def test_the_image_itself_and_its_mirror_image(image):
    assert view_of(image, 0, "a") is image
    np.testing.assert_array_equal(np.asarray(view_of(image, 1, "a")), np.asarray(image)[:, ::-1])


def test_crops_are_parts_of_the_image_and_differ(image):
    pixels = np.asarray(image)
    both_ways = pixels, pixels[:, ::-1]
    found = set()
    for name in map(str, range(40)):
        crop = np.asarray(view_of(image, 2, name))
        height, width = crop.shape[:2]
        assert SMALLEST * 0.88 < height * width / (60 * 80) <= 1
        places = [
            (way, y, x)
            for way, whole in enumerate(both_ways)
            for y in range(60 - height + 1)
            for x in range(80 - width + 1)
            if (whole[y, x] == crop[0, 0]).all()
            and (whole[y : y + height, x : x + width] == crop).all()
        ]
        assert len(places) == 1
        found.add((*places[0], height, width))
    assert len(found) > 35
    assert {way for way, *_ in found} == {0, 1}


def test_the_same_view_is_always_the_same(image):
    def crop(view, name):
        return view_of(image, view, name).tobytes()

    assert crop(2, "a") == crop(2, "a")
    assert len({crop(2, "a"), crop(2, "b"), crop(3, "a")}) == 3


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 2)])
def test_images_of_a_few_pixels(size):
    for view in range(6):
        assert min(view_of(Image.new("RGB", size), view, "a").size) >= 1
