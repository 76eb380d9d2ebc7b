"""Opening of backbones by name."""

from pathlib import Path

from limner.backbones.backbone import Backbone, Keep
from limner.backbones.onnx_backbone import OnnxBackbone
from limner.backbones.torch_backbone import TorchBackbone
from limner.errors import InputError

WEIGHTS = (".pth", ".pt", ".safetensors")


def open_backbone(
    name: str | Path | None = None,
    *,
    weights: str | Path | None = None,
    keep: Keep = "pooled",
    size: int | None = None,
    threads: int | None = None,
) -> Backbone:
    """Open the bundled backbone, an ONNX file, or a PyTorch network.

    Args:
        name: None for the bundled one; an ``.onnx`` file with its ``.toml`` beside it; or a name
            as for `TorchBackbone`.
        weights: of a PyTorch network: a file, or "download" for the library's own.
        keep: which features to compute.
        size: side of the input in pixels; None is the network's default.
        threads: as for `OnnxBackbone` and `TorchBackbone`.

    Returns:
        The backbone.

    Raises:
        InputError: if there is no such backbone, or name and weights do not match.

    >>> open_backbone().name
    'efficientnet_lite0'
    """
    if name is not None and Path(name).suffix in WEIGHTS:
        raise InputError(
            f"{name}: weights without a network; name the network, as in `backbone` "
            f"torchvision:resnet18 `weights` {name}"
        )
    is_file = name is not None and (Path(name).suffix == ".onnx" or Path(name).is_file())
    if weights is not None and (name is None or is_file):
        raise InputError(
            f"`weights` {weights}: only for PyTorch networks, and "
            f"{name or 'the bundled backbone'} has its own; name a network, as in `backbone` "
            "torchvision:resnet18, or omit `weights`"
        )
    if name is None:
        return OnnxBackbone.bundled(threads=threads, keep=keep, size=size)
    if is_file:
        return OnnxBackbone.from_file(name, threads=threads, keep=keep, size=size)
    return TorchBackbone(str(name), weights, threads, keep=keep, size=size)
