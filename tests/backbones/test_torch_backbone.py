"""Backbones of PyTorch: against the libraries' own features, and what is refused."""

import sys

import numpy as np
import pytest
from PIL import Image

from limner.backbones.open_backbone import open_backbone
from limner.backbones.torch_backbone import TorchBackbone
from limner.errors import InputError
from limner.images.images import load_image

torch = pytest.importorskip("torch", reason="the extra torch is not here")
pytestmark = pytest.mark.torch

VGG_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG_POOLED = (2, 7, 14, 21, 28)
VGG_CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


def library(name):
    try:
        return pytest.importorskip(name, reason=f"{name} is not here")
    except RuntimeError:
        return pytest.skip(f"{name} is made for another torch")


def matrix(rows, columns, seed):
    """Full of different numbers, in little memory: every row is the one before, moved by one."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(rows + columns - 1, generator=generator) * (2 / columns) ** 0.5
    return numbers.as_strided((rows, columns), (1, 1))


def vgg_weights():
    """As in torchvision's files, of random numbers."""
    tensors = {}
    for index, ins, outs in zip(VGG_CONVOLUTIONS, VGG_CHANNELS, VGG_CHANNELS[1:], strict=False):
        generator = torch.Generator().manual_seed(index)
        weight = torch.randn(outs, ins, 3, 3, generator=generator) * (2 / (9 * ins)) ** 0.5
        tensors[f"features.{index}.weight"] = weight
        tensors[f"features.{index}.bias"] = torch.linspace(-0.1, 0.1, outs)
    for index, outs, ins in ((0, 4096, 512 * 49), (3, 4096, 4096), (6, 1000, 4096)):
        tensors[f"classifier.{index}.weight"] = matrix(outs, ins, index)
        tensors[f"classifier.{index}.bias"] = torch.linspace(-0.1, 0.1, outs)
    return tensors


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """(the tensors, a small file of them: what a tensor shares is saved once)."""
    tensors, path = vgg_weights(), tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(tensors, path)
    return tensors, path


def vgg_by_hand(tensors, pixels):
    """(features of fc7, the last map), by PyTorch's functions alone."""
    relu, x = torch.relu, pixels
    for index in VGG_CONVOLUTIONS:
        weight, bias = (tensors[f"features.{index}.{name}"] for name in ("weight", "bias"))
        x = relu(torch.nn.functional.conv2d(x, weight, bias, padding=1))
        if index in VGG_POOLED:
            x = torch.nn.functional.max_pool2d(x, 2)
    last = x
    x = x.flatten(1)
    for index in (0, 3):
        x = relu(x @ tensors[f"classifier.{index}.weight"].T + tensors[f"classifier.{index}.bias"])
    return x, last


def noise(size, seed=0):
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


# --- vgg16-fc7, which needs no library beside torch


def test_vgg16_fc7_is_the_courses_network(vgg):
    tensors, path = vgg
    backbone = open_backbone("vgg16-fc7", weights=path, keep="both")
    assert (backbone.name, backbone.dim, backbone.num_regions) == ("vgg16-fc7", 4096, 49)
    pixels = np.stack([backbone.preprocess(noise((320, 240), seed)) for seed in range(2)])
    rows = backbone.features(pixels)
    np.testing.assert_array_equal(backbone.features(pixels), rows)
    found = backbone.run(pixels)
    with torch.inference_mode():
        features, last = vgg_by_hand(tensors, torch.tensor(pixels))
    np.testing.assert_allclose(found["features"], features, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        found["grid"], last.permute(0, 2, 3, 1).reshape(2, 49, 512), rtol=1e-4, atol=1e-4
    )
    assert found["features"].std() > 0.1
    assert 0.1 < (found["features"] == 0).mean() < 0.9  # after the ReLU


def test_images_are_made_ready_as_imagenets_are(vgg):
    backbone = TorchBackbone("vgg16-fc7", vgg[1])
    image = noise((512, 256))
    pixels = backbone.preprocess(image)
    expected = np.asarray(image.crop((144, 16, 368, 240)), np.float32) / 255
    expected = (expected - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(pixels, expected.transpose(2, 0, 1), atol=1e-5)


def test_a_toml_file_beside_the_weights_comes_before_that(vgg, tmp_path):
    path = tmp_path / "vgg16.pth"
    path.symlink_to(vgg[1])
    path.with_suffix(".toml").write_text('mean = 127\nscale = 1\nchannels = "BGR"\nsize = 64\n')
    backbone = TorchBackbone("vgg16-fc7", path)
    assert backbone.preprocess(Image.new("RGB", (9, 9), (127, 127, 130)))[:, 3, 3].tolist() == [
        3, 0, 0,
    ]  # fmt: skip
    assert backbone.describe().size == 64
    path.with_suffix(".toml").write_text('mean = 127\nscale = 1\noutput = "fc6"\n')
    with pytest.raises(InputError, match=r"vgg16\.toml: output is for ONNX networks; leave it out"):
        TorchBackbone("vgg16-fc7", path)


def test_threads_are_pytorchs(vgg):
    before = torch.get_num_threads()
    try:
        TorchBackbone("vgg16-fc7", vgg[1], 1, size=32)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("wrapped", ["state_dict", "model", "module"])
def test_one_backbone_whatever_its_file(wrapped, vgg, tmp_path):
    tensors, path = vgg
    sha256 = TorchBackbone("vgg16-fc7", path, size=32).sha256
    headless = {key: value for key, value in tensors.items() if "classifier.6" not in key}
    content = {
        "state_dict": {"state_dict": headless, "epoch": 9},
        "model": {"model": tensors},
        "module": {f"module.{key}": value for key, value in tensors.items()},
    }[wrapped]
    torch.save(content, tmp_path / "other.pt")
    assert TorchBackbone("vgg16-fc7", tmp_path / "other.pt", size=32).sha256 == sha256
    tensors = {**tensors, "features.0.bias": tensors["features.0.bias"] + 1e-3}
    torch.save(tensors, tmp_path / "other.pt")
    assert TorchBackbone("vgg16-fc7", tmp_path / "other.pt", size=32).sha256 != sha256


# --- what is refused


def refused(name="vgg16-fc7", weights=None):
    with pytest.raises(InputError) as caught:
        open_backbone(name, weights=weights)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_weights_are_required_and_not_downloaded_by_default():
    assert refused().startswith("vgg16-fc7: its weights are missing; give `weights` FILE (.pth")


def test_files_that_are_no_weights(tmp_path):
    path = tmp_path / "net.pth"
    assert (
        refused(weights=path) == f"{path}: no such file of weights; check the name and the folder"
    )
    path.write_bytes(b"version https://git-lfs")
    assert refused(weights=path).startswith(f"{path}: cannot be read as weights alone (")
    torch.save(torch.nn.Linear(2, 2), path)  # pickled code
    assert "save the network's state_dict() in it" in refused(weights=path)
    torch.save({"epoch": 3}, path)
    assert refused(weights=path).startswith(f"{path}: holds no tensors by name")
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"0" * 99)
    assert refused(weights=path).startswith(f"{path}: cannot be read as weights alone (")


def test_weights_of_another_network(vgg, tmp_path):
    tensors, path = dict(vgg[0]), tmp_path / "net.pth"
    del tensors["features.0.bias"]
    tensors["features.2.weight"] = torch.zeros(64, 64, 1, 1)
    for index in range(5):
        tensors[f"norm.{index}"] = torch.zeros(1)
    torch.save(tensors, path)
    assert refused(weights=path) == (
        f"{path}: does not fit vgg16-fc7: missing: features.0.bias; not expected: norm.0, norm.1, "
        "norm.2 and 2 more; of another shape: features.2.weight 64 x 64 x 1 x 1, not 64 x 64 x 3 x "
        "3; name the network that the weights are of, and its library"
    )


def test_names_and_weights_that_do_not_go_together(vgg, tmp_path):
    assert refused("net.pth").startswith("net.pth: weights without a network")
    assert "the bundled backbone has its own" in refused(None, "net.pth")
    assert "net.onnx has its own" in refused("net.onnx", "net.pth")


@pytest.mark.parametrize("name", ["torch", "torchvision", "timm"])
def test_a_missing_library_is_named(name, vgg, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    backbone = "vgg16-fc7" if name == "torch" else f"{name}:resnet18"
    install = "pip install 'limner[torch]'" if name == "torch" else f"pip install {name}"
    with pytest.raises(InputError, match=f"needs {name}, which is not here; "):
        open_backbone(backbone, weights=vgg[1])
    if name != "torch":
        assert refused(backbone, vgg[1]).endswith(install)


def test_unknown_network_name_is_refused(vgg, monkeypatch):
    for name in ("torchvision", "timm"):
        monkeypatch.setitem(sys.modules, name, None)
    assert refused("resnet18", vgg[1]).startswith(
        "resnet18: no .onnx file, and neither torchvision nor timm is here to have a network of "
    )


# --- torchvision's and timm's


def trained(module):
    """A network whose batch normalisations fit random images, so that features vary."""
    torch.manual_seed(1)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    module.train()
    with torch.no_grad():
        module(torch.randn(4, 3, 224, 224))
    return module.eval()


@pytest.mark.parametrize(
    ("name", "last"),
    [("resnet18", "layer4"), ("mobilenet_v3_small", "features"), ("densenet121", None)],
)
def test_torchvisions_own_features(name, last, tmp_path):
    torchvision = library("torchvision")
    torch.manual_seed(0)
    module = trained(torchvision.models.get_model(name))
    torch.save(module.state_dict(), tmp_path / "net.pth")
    backbone = open_backbone(name, weights=tmp_path / "net.pth", keep="both")
    assert backbone.name == f"torchvision:{name}"
    caught = {}
    linear = [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)][-1]
    linear.register_forward_pre_hook(lambda _, inputs: caught.update(features=inputs[0]))
    if last:
        module.get_submodule(last).register_forward_hook(
            lambda _, inputs, output: caught.update(grid=output.flatten(2).transpose(1, 2))
        )
    transform = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    check(backbone, module, caught, transform)


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "efficientnet_b0"])
def test_timms_own_features(name, tmp_path):
    timm = library("timm")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    module = trained(timm.create_model(name))
    save_file(module.state_dict(), tmp_path / "net.safetensors")
    backbone = open_backbone(f"timm:{name}", weights=tmp_path / "net.safetensors", keep="both")
    caught = {}

    def run(pixels):
        found = module.forward_features(pixels)
        caught["features"] = module.forward_head(found, pre_logits=True)
        caught["grid"] = found[:, 1:] if found.ndim == 3 else found.flatten(2).transpose(1, 2)

    how = timm.data.resolve_model_data_config(module)
    check(backbone, run, caught, timm.data.create_transform(**how, is_training=False))


def check(backbone, run, caught, transform):
    """The network's numbers are the library's, and its images nearly so."""
    images = [noise((320, 240), seed) for seed in range(2)]
    pixels = np.stack([backbone.preprocess(image) for image in images])
    found = backbone.run(pixels)
    with torch.inference_mode():
        run(torch.tensor(pixels))
    for name, expected in caught.items():
        assert found[name].std() > 0.01
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-4)
    theirs = torch.stack([transform(image) for image in images]).numpy()
    assert np.abs(pixels - theirs).mean() < 0.05 * theirs.std()


def test_a_torchvision_transformer_gives_its_tokens(tmp_path):
    torchvision = library("torchvision")
    torch.manual_seed(0)
    module = torchvision.models.vit_b_32()
    torch.nn.init.normal_(module.class_token)
    torch.save(module.state_dict(), tmp_path / "net.pth")
    backbone = open_backbone("vit_b_32", weights=tmp_path / "net.pth", keep="both")
    assert backbone.shapes == {"features": (768,), "grid": (49, 768)}
    pixels = backbone.preprocess(noise((320, 240)))[None]
    found = backbone.run(pixels)
    caught = {}
    module.encoder.register_forward_hook(lambda _, inputs, output: caught.update(all=output))
    with torch.inference_mode():
        module.eval()(torch.tensor(pixels))
    np.testing.assert_allclose(found["features"], caught["all"][:, 0], atol=1e-4)
    np.testing.assert_allclose(found["grid"], caught["all"][:, 1:], atol=1e-4)


def test_vgg16_fc7_is_torchvisions(vgg):
    torchvision = library("torchvision")
    tensors, path = vgg
    backbone = open_backbone("vgg16-fc7", weights=path)
    module = torchvision.models.vgg16(init_weights=False).eval()
    module.load_state_dict(tensors)
    pixels = backbone.preprocess(noise((320, 240)))[None]
    with torch.inference_mode():
        last = module.avgpool(module.features(torch.tensor(pixels))).flatten(1)
        expected = module.classifier[:5](last)
    np.testing.assert_allclose(backbone.features(pixels), expected, rtol=1e-4, atol=1e-4)
    theirs = open_backbone("torchvision:vgg16", weights=path)
    np.testing.assert_allclose(theirs.features(pixels), expected, rtol=1e-4, atol=1e-4)
    assert theirs.preprocessing == backbone.preprocessing


def test_names_close_to_one_are_offered(tmp_path):
    library("torchvision")
    torch.save({"a": torch.zeros(1)}, tmp_path / "net.pth")
    assert "perhaps resnet18" in refused("resnet_18", tmp_path / "net.pth")
    assert "torchvision:resnet18" in refused("torchvision:resnet_18", tmp_path / "net.pth")
    wrong = refused("squeezenet1_0", tmp_path / "net.pth")
    assert wrong == "torchvision:squeezenet1_0: does not end in a linear layer; export it to ONNX"


def test_images_of_a_size_that_the_network_does_not_take(tmp_path):
    timm = library("timm")
    module = timm.create_model("vit_tiny_patch16_224")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    with pytest.raises(InputError, match=r"cannot take an image of 100 x 100 \(.*\); change --si"):
        open_backbone("timm:vit_tiny_patch16_224", weights=tmp_path / "net.pth", size=100)


def test_real_images_keep_their_order(tmp_path, flickr8k):
    """Different images have different features, and one image the same again."""
    torchvision = library("torchvision")
    torch.manual_seed(0)
    torch.save(trained(torchvision.models.resnet18()).state_dict(), tmp_path / "net.pth")
    backbone = open_backbone("resnet18", weights=tmp_path / "net.pth")
    paths = sorted((flickr8k / "images").iterdir())[:4]
    pixels = np.stack([backbone.preprocess(load_image(path)) for path in paths])
    rows = backbone.features(pixels)
    assert np.abs(rows[0] - rows[1]).max() > 0.1
    np.testing.assert_allclose(backbone.features(pixels[::-1])[::-1], rows, atol=1e-4)
