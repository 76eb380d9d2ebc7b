import io

import msgspec
import numpy as np
import pytest
from PIL import Image

from limner.backbones.info import BackboneInfo
from limner.captioner import BUNDLED_CAPTIONER, Captioner, checkpoint_path, load
from limner.checkpoint import Checkpoint, load_checkpoint
from limner.decoding import GREEDY, DecodingConfig, decode
from limner.errors import InputError
from limner.models import CaptioningRNN


@pytest.fixture(scope="module")
def captioner():
    return Captioner.load()


def test_paths_and_bytes_in_order_and_broken_ones_apart(captioner, tmp_path):
    good = tmp_path / "good.png"
    Image.new("RGB", (64, 48), "green").save(good)
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "green").save(buffer, "PNG")
    bad = tmp_path / "bad.jpg"
    bad.write_text("no image")
    first, second, third = (
        found
        for _, found in captioner.caption_all([good, bad, buffer.getvalue()], on_error="return")
    )
    assert first == third
    assert isinstance(second, InputError)
    assert first.text.islower()
    assert first.score < 0


def test_a_caption_is_the_models(captioner, tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (300, 200), "red").save(path)
    caption = captioner.caption(path)
    backbone = captioner.backbone
    features = backbone.features(backbone.preprocess(Image.open(path))[None])
    words, log_probs = decode(
        captioner.decoder, features, DecodingConfig(), captioner.model.word_to_idx
    )
    assert caption.text == captioner.vocabulary.decode(words[0, 0])
    count = len(caption.text.split()) + 1
    assert caption.score == pytest.approx(log_probs[0, 0] / count, rel=1e-4)


def test_another_backbone_is_refused_with_both_names():
    checkpoint = load_checkpoint(BUNDLED_CAPTIONER)
    vgg16 = BackboneInfo(name="vgg16", sha256="f" * 64)
    checkpoint.info = msgspec.structs.replace(checkpoint.info, backbone=vgg16)
    with pytest.raises(InputError, match=r"features of vgg16 \(f+\), .* efficientnet_lite0"):
        Captioner(checkpoint)


def test_different_preprocessing_is_refused_and_named():
    checkpoint = load_checkpoint(BUNDLED_CAPTIONER)
    checkpoint.backbone.preprocessing.update({"fit": "crop", "share": 0.875})
    with pytest.raises(InputError, match=r"288\), with another fit, share; name"):
        Captioner(checkpoint)


@pytest.mark.parametrize("name", ["vgg16-fc7", "timm:resnet18"])
def test_model_of_a_pytorch_backbone_names_the_options(name):
    checkpoint = load_checkpoint(BUNDLED_CAPTIONER)
    other = msgspec.structs.replace(checkpoint.backbone, name=name, sha256="f" * 64)
    checkpoint.info = msgspec.structs.replace(checkpoint.info, backbone=other)
    with pytest.raises(
        InputError, match=rf"give `backbone` {name} and `weights` FILE, or `weights` download"
    ):
        Captioner(checkpoint)


def test_features_of_another_length_are_refused():
    model = CaptioningRNN({"<NULL>": 0}, input_dim=7, rng=np.random.default_rng(0))
    with pytest.raises(
        InputError, match="features of 7 numbers, and efficientnet_lite0 gives 1280"
    ):
        Captioner(Checkpoint(model))


def test_checkpoint_of_a_run(tmp_path):
    with pytest.raises(InputError, match="no checkpoint in it"):
        checkpoint_path(tmp_path)
    (tmp_path / "last.safetensors").touch()
    assert checkpoint_path(tmp_path).name == "last.safetensors"
    (tmp_path / "best.safetensors").touch()
    assert checkpoint_path(tmp_path).name == "best.safetensors"
    assert checkpoint_path(tmp_path / "last.safetensors").name == "last.safetensors"


def test_bundled_captioner_contains_no_local_path():
    info = load_checkpoint(BUNDLED_CAPTIONER).info
    assert info.dataset.name == "Flickr8k"
    assert "/" not in str(info)


def test_one_image_that_cannot_be_read(captioner):
    with pytest.raises(InputError, match=r"absent\.jpg: no such file"):
        captioner.caption("absent.jpg")


def test_several_captions_of_each_image(captioner, tmp_path):
    paths = [tmp_path / f"{color}.png" for color in ("red", "green")]
    for path in paths:
        Image.new("RGB", (300, 200), path.stem).save(path)
    for found in captioner.caption(paths, n_best=3, beam_size=4):
        assert len({found.text, *(one.text for one in found.alternatives)}) == 3
    drawn = GREEDY.changed(n_best=5, temperature=1.5, seed=1)
    one, again = (list(captioner.caption_all(paths, drawn)) for _ in range(2))
    assert one == again
    assert one != list(
        captioner.caption_all(paths, GREEDY.changed(n_best=5, temperature=1.5, seed=2))
    )


def test_load():
    assert load().info == Captioner.load().info
    assert str(load(str(BUNDLED_CAPTIONER)).backbone.name) == "efficientnet_lite0"


def test_batches_are_sampled_independently(captioner, tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (300, 200), "red").save(path)
    how = GREEDY.changed(temperature=1.5, seed=3)
    runs = [captioner.caption_all([path] * 2, how, batch_size=1) for _ in range(2)]
    (first, second), again = ([found.text for _, found in run] for run in runs)
    assert first != second
    assert again == [first, second]


def test_no_caption_meets_the_constraints(captioner, tmp_path, monkeypatch):
    path = tmp_path / "red.png"
    Image.new("RGB", (300, 200), "red").save(path)
    nothing = np.zeros((1, 1, 30), np.int32), np.full((1, 1), -np.inf)
    monkeypatch.setattr("limner.captioner.decode", lambda *arguments: nothing)
    with pytest.raises(InputError, match=r"red\.png: no caption meets the constraints"):
        captioner.caption(path)


def test_ensemble_refuses_different_image_sizes():
    other = load_checkpoint(BUNDLED_CAPTIONER)
    other.info.backbone.preprocessing["size"] = 96
    with pytest.raises(InputError, match=r"images of 96 x 96.*images of 288 x 288"):
        Captioner(load_checkpoint(BUNDLED_CAPTIONER), other)


def test_caption_takes_arrays_pillow_images_and_folders(captioner, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), dtype=np.uint8)
    for name, one in zip("ab", pixels, strict=True):
        Image.fromarray(one).save(tmp_path / f"{name}.png")
    found = captioner.caption(str(tmp_path))
    first, second = (one.text for one in found)
    assert captioner.caption(pixels) == captioner.caption(iter(pixels)) == found
    for image, expected in (
        (pixels[0], first),
        (tmp_path / "a.png", first),
        (Image.fromarray(pixels[1]), second),
    ):
        assert captioner.caption(image).text == expected
    several = captioner.caption([str(tmp_path / "b.png"), pixels[0]])
    assert [one.text for one in several] == [second, first]


def test_features_are_those_of_the_captions(captioner, tmp_path):
    Image.new("RGB", (64, 48), "red").save(tmp_path / "red.png")
    features = captioner.features(tmp_path)
    assert features.shape == (1, *captioner.caption(tmp_path / "red.png").features.shape)
    assert np.array_equal(features[0], captioner.caption(tmp_path / "red.png").features)
    with pytest.raises(InputError, match=r"absent\.png: no such file"):
        captioner.features("absent.png")


def test_an_error_is_raised_or_returned(captioner, tmp_path):
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.png")
    (tmp_path / "b.png").touch()
    with pytest.raises(InputError, match=r"b\.png: empty"):
        captioner.caption(tmp_path)
    (_, first), (path, second) = captioner.caption_all(tmp_path, on_error="return")
    assert first.text
    assert (path, str(second)) == (
        tmp_path / "b.png",
        f"{tmp_path / 'b.png'}: empty, 0 bytes; copy the file again",
    )


def test_options_are_checked(captioner):
    with pytest.raises(ValueError, match="`beam_size` 0: expected"):
        captioner.caption(np.zeros((8, 8, 3), np.uint8), beam_size=0)
    with pytest.raises(ValueError, match="`beams`: no such setting"):
        captioner.caption(np.zeros((8, 8, 3), np.uint8), beams=3)


def test_repr_is_one_short_line(captioner):
    assert repr(captioner).startswith("Captioner(")
    assert len(repr(captioner)) < 80


def test_batch_size_is_the_number_of_images_per_run(captioner, monkeypatch):
    sizes, features = [], captioner.backbone.features
    monkeypatch.setattr(
        captioner.backbone, "features", lambda pixels: sizes.append(len(pixels)) or features(pixels)
    )
    count = 20 * captioner.backbone.threads
    images = np.zeros((count, 32, 32, 3), np.uint8)
    assert len(list(captioner.caption_all(images, GREEDY, batch_size=20))) == count
    assert set(sizes) == {20}
