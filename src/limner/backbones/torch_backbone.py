"""Backbones of PyTorch: the course's VGG-16, and any network of torchvision or timm.

They need the extra ``torch``, and torchvision or timm for their networks. Networks run on the CPU,
in float32, without their classifier.

    N: images    S: side of the network's input in pixels    D: length of a feature vector
    L: regions of an image    G: length of a region's feature vector
"""

from pathlib import Path

import msgspec
import numpy as np

from limner.backbones.backbone import Backbone, Keep
from limner.backbones.preprocessing import SINCE, Preprocessing, read_preprocessing
from limner.backbones.torch_networks import Network, find_network, library
from limner.backbones.torch_weights import load_weights, read_weights, weights_sha256
from limner.errors import InputError
from limner.typing import Array, Float

DOWNLOAD = "download"
"""Value of `weights` to download those of the library."""

ONNX_ONLY = {"layout": "NCHW", "output": None, "grid_output": None, "pooling": SINCE["pooling"]}


class TorchBackbone(Backbone):
    """A PyTorch network, by its name and weights.

    Its name includes the library ("timm:resnet18"); its sha256 is that of the name and all tensors
    without the classifier, so that it does not depend on the format of the file.

    Example:
        >>> from limner.errors import InputError
        >>> try:
        ...     TorchBackbone("vgg16-fc7")
        ... except InputError as error:
        ...     print(str(error)[:52])
        vgg16-fc7: its weights are missing; give `weights` F
    """

    def __init__(
        self,
        name: str,
        weights: str | Path | None = None,
        threads: int | None = None,
        *,
        keep: Keep = "pooled",
        size: int | None = None,
    ) -> None:
        """Build the network and read its weights.

        Args:
            name: ``vgg16-fc7``, ``torchvision:NAME``, ``timm:NAME``, or a NAME of
                torchvision, otherwise timm.
            weights: a ``.pth``, ``.pt`` or ``.safetensors`` file, optionally with a TOML file
                beside it (`Preprocessing`); or "download".
            threads: number of PyTorch's threads in this process; None does not change it.
            keep: "pooled" gives the input of the classifier, "grid" the last feature map before
                pooling, or a Transformer's tokens without class token; "both" gives both.
            size: side of the input in pixels; None is the network's default.

        Raises:
            InputError: if a library is missing, there is no such network, the weights are missing,
                unreadable or of another network, or the size is not supported.
        """
        if weights is None:
            raise InputError(
                f"{name}: its weights are missing; give `weights` FILE (.pth, .pt or "
                f".safetensors), or `weights` {DOWNLOAD} to download the library's own"
            )
        torch = library("torch", name)
        tensors = None if str(weights) == DOWNLOAD else read_weights(Path(weights))
        self._network = find_network(name, None if tensors is None else Path(weights).name)
        if tensors is not None:
            load_weights(self._network, tensors, weights)
        self.name = self._network.name
        self.sha256 = weights_sha256(self._network)
        self.preprocessing = _preprocessing(self._network, weights, size)
        self._keep = keep
        self.threads = 1  # PyTorch divides a batch among the cores
        if threads is not None:
            torch.set_num_threads(threads)
        self.shapes = self.probe(self.name, "change `size`, or export it to ONNX", 1)

    def run(self, pixels: Float[Array, "N 3 S S"]) -> dict[str, Float[Array, "N ..."]]:
        """See `Backbone.run`."""
        import torch  # noqa: PLC0415 (gigabytes: paid by those alone who need it)

        with torch.inference_mode():
            pooled, places = self._network.run(torch.tensor(np.ascontiguousarray(pixels)))
        kept = {}
        if self._keep != "grid":
            kept["features"] = pooled
        if self._keep != "pooled":
            if places is None:
                raise InputError(
                    f"{self.name}: no map of features before its pooling; omit `features` grid"
                )
            if places.ndim == 4:  # (N, G, H, W) -> (N, H W, G)
                places = places.flatten(2).transpose(1, 2)
            kept["grid"] = places
        return {name: np.ascontiguousarray(part.numpy()) for name, part in kept.items()}


def _preprocessing(network: Network, weights: str | Path, size: int | None) -> Preprocessing:
    """The preprocessing of the TOML file beside the weights, or that of the library."""
    beside = Path(weights).with_suffix(".toml")
    how = network.preprocessing
    if str(weights) != DOWNLOAD and beside.exists():
        how = read_preprocessing(beside)
        for key, usual in ONNX_ONLY.items():
            if getattr(how, key) != usual:
                raise InputError(f"{beside}: {key} is for ONNX networks; leave it out")
    return how if size is None else msgspec.structs.replace(how, size=size)
