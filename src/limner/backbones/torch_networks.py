"""Networks of PyTorch without their classifier: vgg16-fc7, torchvision's and timm's.

N: images    S: side of the network's input in pixels    D: length of a feature vector
L: regions of an image    G: length of a region's feature vector
"""

import difflib
import importlib
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from limner.backbones.backbone import first_line
from limner.backbones.preprocessing import Preprocessing
from limner.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

VGG = "vgg16-fc7"
VGG_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
VGG_WEIGHTS = "https://download.pytorch.org/models/vgg16-397923af.pth"

IMAGENET = Preprocessing(
    mean=(123.675, 116.28, 103.53),
    scale=(58.395, 57.12, 57.375),
    fit="crop",
    share=224 / 256,
    resample="bilinear",
)
"""The preprocessing of most networks."""


@dataclass(frozen=True)
class Network:
    """A network without its classifier.

    Attributes:
        name: library and name.
        architecture: the name without that of the weights, which follows a dot in timm.
        module: the PyTorch module.
        classifier: names of the removed layers.
        preprocessing: how its images are preprocessed.
        run: from pixels (N, 3, S, S) to features (N, D), and the last map (N, G, H, W) or tokens
            (N, L, G); None if there are none.
    """

    name: str
    architecture: str
    module: "nn.Module"
    classifier: tuple[str, ...]
    preprocessing: Preprocessing
    run: "Callable[[Tensor], tuple[Tensor, Tensor | None]]"


def is_torch_name(name: str) -> bool:
    """Whether this is the full name of a PyTorch network.

    >>> is_torch_name("timm:resnet18"), is_torch_name("efficientnet_lite0")
    (True, False)
    """
    return name == VGG or name.startswith(("torchvision:", "timm:"))


def find_network(name: str, file: str | None) -> Network:
    """Build a network.

    Args:
        name: see `TorchBackbone`.
        file: the file of its weights; None downloads them.

    Raises:
        InputError: if a library is missing, has no such network, or cannot download.
    """
    owner, colon, bare = name.partition(":")
    try:
        if name == VGG:
            network = _vgg16(download=file is None)
        elif colon and owner == "torchvision":
            network = _from_torchvision(bare, file)
        elif colon and owner == "timm":
            network = _from_timm(bare, download=file is None)
        else:
            return find_network(f"{_library_of(name)}:{name}", file)
    except InputError:
        raise
    except Exception as error:  # any exception of the library
        what = "cannot be built" if file else "no weights for it could be downloaded"
        advice = "name another" if file else "give `weights` FILE"
        raise InputError(f"{name}: {what} ({first_line(error)}); {advice}") from None
    network.module.eval()
    return network


def _library_of(name: str) -> str:
    """The library of a network: torchvision, otherwise timm."""
    known: list[str] = []
    for owner, names in (("torchvision", _names_in_torchvision), ("timm", _names_in_timm)):
        try:
            found = names(name)
        except InputError:
            continue  # reported below, if neither has it
        if name.partition(".")[0] in found:
            return owner
        known += found
    if not known:
        raise InputError(
            f"{name}: no .onnx file, and neither torchvision nor timm is here to have a network of "
            "that name; pip install torchvision or timm, or name a file"
        )
    raise _no_such(name, known)


def _no_such(name: str, known: list[str]) -> InputError:
    close = difflib.get_close_matches(name, sorted(set(known)), 3)
    return InputError(
        f"{name}: no .onnx file and no network of that name; "
        + (f"perhaps {' or '.join(close)}" if close else "name one of torchvision's or timm's")
    )


def library(needed: str, name: str) -> ModuleType:
    """Import the library of a network; InputError with advice if it is missing."""
    try:
        return importlib.import_module(needed)
    except ImportError:
        missing = "pip install 'limner[torch]'" if needed == "torch" else f"pip install {needed}"
        raise InputError(f"{name}: needs {needed}, which is not here; {missing}") from None
    except RuntimeError as error:  # a torchvision for another version of torch
        raise InputError(
            f"{name}: {needed} cannot be loaded ({first_line(error)}); install the "
            "release that goes with your torch"
        ) from None


def _vgg16(*, download: bool) -> Network:
    """VGG-16 (Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556) up to fc7's ReLU.

    Layers have the names of torchvision, for its weights.
    """
    import torch  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415

    with torch.device("meta"):  # no initialization, since weights are loaded
        features: list[nn.Module] = []
        channels = 3
        for widths in VGG_WIDTHS:
            for width in widths:
                features += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            features.append(nn.MaxPool2d(2))
        fc6, fc7 = nn.Linear(512 * 7 * 7, 4096), nn.Linear(4096, 4096)
        layers = OrderedDict(
            features=nn.Sequential(*features),
            avgpool=nn.AdaptiveAvgPool2d(7),
            flatten=nn.Flatten(),
            # instead of dropout, which is only used in training
            classifier=nn.Sequential(fc6, nn.ReLU(), nn.Identity(), fc7, nn.ReLU()),
        )
        module = nn.Sequential(layers)
    if download:
        tensors = torch.hub.load_state_dict_from_url(VGG_WEIGHTS, map_location="cpu")
        kept = {name: tensors[name] for name in module.state_dict()}
        module.load_state_dict(kept, assign=True)
    return Network(VGG, VGG, module, ("classifier.6",), IMAGENET, _with_last_map(module))


def _names_in_torchvision(name: str) -> list[str]:
    models = library("torchvision", name).models
    return [str(known) for known in models.list_models(models)]


def _from_torchvision(name: str, file: str | None) -> Network:
    """A torchvision network without its last linear layer, whose input are the features."""
    from torch import nn  # noqa: PLC0415

    full_name = f"torchvision:{name}"
    known = _names_in_torchvision(full_name)
    if name not in known:
        raise _no_such(full_name, [f"torchvision:{one}" for one in known])
    models = library("torchvision", full_name).models
    published = models.get_model_weights(name)
    weights = next((one for one in published if Path(one.url).name == file), published.DEFAULT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the initialization
        module = models.get_model(name, weights=None if file else weights)
    linear = [layer for layer, found in module.named_modules() if isinstance(found, nn.Linear)]
    if not linear:
        raise InputError(f"{full_name}: does not end in a linear layer; export it to ONNX")
    parent, _, last = linear[-1].rpartition(".")
    setattr(module.get_submodule(parent), last, nn.Identity())
    how = weights.transforms()
    preprocessing = Preprocessing(
        size=how.crop_size[0],
        fit="crop",
        share=min(1.0, how.crop_size[0] / how.resize_size[0]),
        resample=how.interpolation.value,
        mean=_times_255(how.mean),
        scale=_times_255(how.std),
    )
    prefix = int(hasattr(module, "class_token"))
    run = _with_last_map(module, prefix)
    return Network(full_name, full_name, module, (linear[-1],), preprocessing, run)


def _with_last_map(
    module: "nn.Module", prefix: int = 0
) -> "Callable[[Tensor], tuple[Tensor, Tensor | None]]":
    """Run a network and record the last output of a layer with several regions.

    Outputs of adaptive pooling are ignored. The first ``prefix`` tokens (N, L, G) are removed.
    """
    from torch import Tensor, nn  # noqa: PLC0415

    seen: dict[str, Tensor] = {}

    def look(layer: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and not isinstance(layer, nn.AdaptiveAvgPool2d):
            if output.ndim == 3:
                seen["last"] = output[:, prefix:]
            elif output.ndim == 4 and output.shape[2:].numel() > 1:
                seen["last"] = output

    for layer in module.modules():
        layer.register_forward_hook(look)

    def run(pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        seen.clear()
        pooled = module(pixels)
        return pooled, seen.get("last")

    return run


def _names_in_timm(name: str) -> list[str]:
    return [str(known) for known in library("timm", name).list_models()]


def _from_timm(name: str, *, download: bool) -> Network:
    """A timm network without classifier; tokens that are not regions are removed."""
    full_name = f"timm:{name}"
    timm = library("timm", full_name)
    architecture = f"timm:{name.partition('.')[0]}"
    known = [f"timm:{one}" for one in _names_in_timm(full_name)]
    if architecture not in known:
        raise _no_such(full_name, known)
    module = timm.create_model(name, pretrained=download, num_classes=0)
    classifier = module.pretrained_cfg.get("classifier") or ()
    how = timm.data.resolve_model_data_config(module)
    channels, height, width = how["input_size"]
    if channels != 3 or height != width:
        raise InputError(f"{full_name}: takes no square images in colour; name another network")
    preprocessing = Preprocessing(
        size=height,
        fit="squash" if how["crop_mode"] == "squash" else "crop",
        share=min(1.0, how["crop_pct"]),
        resample=how["interpolation"],
        mean=_times_255(how["mean"]),
        scale=_times_255(how["std"]),
    )

    def run(pixels: "Tensor") -> "tuple[Tensor, Tensor | None]":
        found = module.forward_features(pixels)
        pooled = module.forward_head(found)
        if getattr(found, "ndim", 0) == 3:
            return pooled, found[:, getattr(module, "num_prefix_tokens", 0) :]
        if getattr(found, "ndim", 0) == 4:
            channels_last = found.shape[1] != module.num_features == found.shape[3]
            return pooled, found.permute(0, 3, 1, 2) if channels_last else found
        return pooled, None

    layers = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    return Network(full_name, architecture, module, layers, preprocessing, run)


def _times_255(values: Any) -> tuple[float, float, float]:
    """Convert mean or deviation for pixels from 0 to 1 to those for 0 to 255."""
    red, green, blue = (round(255 * float(value), 6) for value in values)
    return red, green, blue
