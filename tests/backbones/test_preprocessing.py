"""How images become a network's input, and the TOML file that says it."""

import json

import numpy as np
import pytest
from PIL import Image

from limner.backbones.preprocessing import (
    Preprocessing,
    preprocessing_facts,
    read_preprocessing,
    to_pixels,
)
from limner.errors import InputError

TOML = "mean = 127\nscale = 128\n"


def stripes():
    """An image of 40 x 20: red to the left, blue in the middle half, green to the right."""
    image = Image.new("RGB", (40, 20), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 10, 20))
    image.paste((0, 255, 0), (30, 0, 40, 20))
    return image


def test_squash_keeps_the_whole_image_and_crop_its_middle():
    how = {"mean": 0, "scale": 255, "size": 8, "resample": "box"}
    squashed = to_pixels(stripes(), Preprocessing(**how))
    assert squashed.dtype == np.float32
    assert squashed.shape == (3, 8, 8)
    assert squashed.flags.c_contiguous
    np.testing.assert_array_equal(squashed[:, 0], [[1] * 2 + [0] * 6, [0] * 6 + [1] * 2,
                                                   [0] * 2 + [1] * 4 + [0] * 2])  # fmt: skip
    cropped = to_pixels(stripes(), Preprocessing(**how, fit="crop"))
    np.testing.assert_array_equal(cropped, np.broadcast_to([[[0]], [[0]], [[1]]], (3, 8, 8)))
    upright = to_pixels(stripes().transpose(Image.Transpose.ROTATE_90),
                        Preprocessing(**how, fit="crop"))  # fmt: skip
    np.testing.assert_array_equal(upright, cropped)


@pytest.mark.parametrize(
    ("fit", "size", "box"), [("squash", 10, (10, 5, 30, 15)), ("crop", 10, (15, 5, 25, 15))]
)
def test_share_takes_the_middle_of_it(fit, size, box):
    noise = np.random.default_rng(0).integers(0, 256, (20, 40, 3), np.uint8)
    image = Image.fromarray(noise)
    how = Preprocessing(mean=0, scale=1, size=size, fit=fit, share=0.5, resample="box")
    expected = image.crop(box).resize((size, size), Image.Resampling.BOX)
    np.testing.assert_array_equal(to_pixels(image, how), np.asarray(expected).transpose(2, 0, 1))


def test_mean_and_scale_are_one_number_or_one_a_channel_in_the_networks_order():
    image = Image.new("RGB", (5, 5), (10, 20, 30))
    one = to_pixels(image, Preprocessing(mean=127, scale=128, size=2))
    np.testing.assert_allclose(one[:, 1, 1], (np.array([10, 20, 30]) - 127) / 128, rtol=1e-6)
    each = Preprocessing(mean=(1, 2, 3), scale=(2, 4, 8), size=2, channels="BGR")
    expected = [(30 - 1) / 2, (20 - 2) / 4, (10 - 3) / 8]
    np.testing.assert_allclose(to_pixels(image, each)[:, 0, 1], expected, rtol=1e-6)


def test_describe_is_restored_from_a_checkpoint():
    facts = preprocessing_facts(Preprocessing(mean=(1, 2, 3), scale=(4, 5, 6), share=0.875))
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["mean"], facts["share"], "pooling" in facts) == ([1, 2, 3], 0.875, False)


@pytest.mark.parametrize(
    "resample", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
)
def test_resampling_is_pillows(resample):
    noise = np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)
    found = to_pixels(
        Image.fromarray(noise), Preprocessing(mean=0, scale=1, size=9, resample=resample)
    )
    expected = Image.fromarray(noise).resize((9, 9), Image.Resampling[resample.upper()])
    np.testing.assert_array_equal(found, np.asarray(expected).transpose(2, 0, 1))


def test_a_file_is_read_with_every_key(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(
        'size = 32\nresample = "nearest"\nfit = "crop"\nmean = [1, 2.5, 3]\nscale = [4, 5, 6]\n'
        'channels = "BGR"\nlayout = "NHWC"\noutput = "pool5"\n'
    )
    assert read_preprocessing(path) == Preprocessing(
        size=32, resample="nearest", fit="crop", mean=(1.0, 2.5, 3.0), scale=(4.0, 5.0, 6.0),
        channels="BGR", layout="NHWC", output="pool5",
    )  # fmt: skip


BROKEN = {
    "not TOML": ("mean = = 3", "correct the file"),
    "absent key": ("mean = 3", "missing required field `scale`"),
    "unknown key": (TOML + "size_of_input = 3", "`size_of_input`"),
    "wrong type": (TOML + 'size = "224"', "`$.size`"),
    "no such filter": (TOML + 'resample = "best"', "`$.resample`"),
    "two means": ("mean = [1, 2]\nscale = 1", "`$.mean`"),
    "size of nothing": (TOML + "size = 0", "`$.size`"),
    "scale of nothing": ("mean = 0\nscale = [1, 0, 1]", "scale must not be 0"),
    "infinite": ("mean = nan\nscale = 1", "must be finite"),
    "not UTF-8": (b"mean = '\xff\xfe'", "correct the file"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_give_one_clear_line(name, tmp_path):
    content, wrong = BROKEN[name]
    path = tmp_path / "net.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read_preprocessing(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert wrong in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"net\.toml: no such file; describe .*mean, scale"):
        read_preprocessing(tmp_path / "net.toml")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read_preprocessing(tmp_path)
