"""Features of many images, broken ones among them, in order and in bounded memory."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from limner.backbones.features import extract
from limner.backbones.open_backbone import open_backbone
from limner.backbones.preprocessing import Preprocessing
from limner.errors import InputError
from limner.images.images import load_image


@pytest.fixture(scope="module")
def backbone():
    return open_backbone()


def images(count, seed=0):
    """Images of smooth noise: enough in them that features differ."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        small = rng.integers(0, 256, (6, 8, 3), np.uint8)
        yield Image.fromarray(small).resize((160, 120), Image.Resampling.BICUBIC)


def save(folder, count):
    paths = [folder / f"image {i}.png" for i in range(count)]
    for path, image in zip(paths, images(count), strict=True):
        image.save(path)
    return paths


def test_extract_keeps_order_and_continues_after_damaged_images(backbone, tmp_path):
    paths = save(tmp_path, 11)
    paths[0].write_bytes(b"")
    paths[4].unlink()
    for path in paths[6:9]:  # a whole batch of them
        path.write_bytes(b"no image")
    found = list(extract(backbone, paths, batch_size=3))
    assert [source for source, _ in found] == paths
    for path, features in found:
        if path in (paths[0], paths[4], *paths[6:9]):
            assert isinstance(features, InputError)
            assert str(features).startswith(f"{path}: ")
        else:
            pixels = backbone.preprocess(load_image(path))
            np.testing.assert_allclose(features, backbone.features(pixels[None])[0], atol=1e-4)


def test_extract_takes_bytes_and_open_files(backbone, tmp_path):
    (path,) = save(tmp_path, 1)
    content = path.read_bytes()
    found = [
        features for _, features in extract(backbone, [content, io.BytesIO(content), str(path)])
    ]
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)
    np.testing.assert_allclose(found[2], found[0], atol=1e-4)
    assert found[0].std() > 0.05


def test_extract_of_nothing(backbone):
    assert list(extract(backbone, [])) == []


class SmallBackbone:
    """What `extract` needs of a backbone, at no cost."""

    preprocessing = Preprocessing(mean=0, scale=255, size=2)
    threads = 3

    def preprocess(self, image):
        return np.full((3, 2, 2), image.getpixel((0, 0))[0], np.float32)

    def features(self, pixels):
        return pixels[:, :, 0, 0]


def test_extract_reads_a_bounded_number_of_sources_ahead():
    content = io.BytesIO()
    Image.new("RGB", (2, 2), (7, 0, 0)).save(content, "PNG")
    asked = []

    def endless():
        while True:
            asked.append(len(asked))
            yield content.getvalue()

    found = extract(SmallBackbone(), endless(), batch_size=4)
    before = threading.active_count()
    for _ in range(100):
        _, features = next(found)
        assert features.tolist() == [7, 7, 7]
    assert len(asked) <= 100 + (SmallBackbone.threads + 1) * 4
    found.close()
    assert threading.active_count() <= before


def test_a_mistake_in_the_sources_is_not_swallowed():
    def failing():
        yield b""
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        list(extract(SmallBackbone(), failing(), batch_size=1))
