"""Weights of PyTorch networks: read from files, loaded into a network, hashed."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.backbones.backbone import first_line
from limner.backbones.torch_networks import Network
from limner.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

WRAPPERS = ("state_dict", "model")
"""Keys under which training scripts store the weights."""

UNREAD = "num_batches_tracked"
"""Number of batches of a batch normalization, which does not influence features."""

NAMED = 3
"""Maximum number of tensors that a message names."""


def read_weights(path: Path) -> "dict[str, Tensor]":
    """Read the tensors of a file by name, without the wrapping of training scripts.

    Args:
        path: a ``.pth``, ``.pt`` or ``.safetensors`` file.

    Returns:
        {name: tensor}.

    Raises:
        InputError: if the file is missing or damaged, or contains code or other data.

    Example:
        >>> from safetensors.numpy import save_file
        >>> import numpy as np
        >>> save_file({"module.bias": np.ones(2)}, "net.safetensors")
        >>> read_weights(Path("net.safetensors"))["bias"].tolist()
        [1.0, 1.0]
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights; check the name and the folder")
    found = _read(path)
    for key in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(map(_is_tensor, found.values())):
        raise InputError(f"{path}: holds no tensors by name; save the network's state_dict() in it")
    if all(name.startswith("module.") for name in found):
        return {name.removeprefix("module."): tensor for name, tensor in found.items()}
    return found


def _read(path: Path) -> Any:
    import torch  # noqa: PLC0415 (gigabytes: paid by those alone who need it)
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of pickle, zipfile and both libraries
        reason = first_line(error).split(". ")[0]
        raise InputError(
            f"{path}: cannot be read as weights alone ({reason}); copy it again, or save the "
            "network's state_dict() in it"
        ) from None


def _is_tensor(value: object) -> bool:
    import torch  # noqa: PLC0415

    return isinstance(value, torch.Tensor)


def load_weights(network: Network, tensors: "dict[str, Tensor]", path: str | Path) -> None:
    """Load tensors into a network, in float32, without those of the classifier.

    Args:
        network: its tensors may be on the device "meta".
        tensors: of `read_weights`.
        path: of the file, for the message.

    Raises:
        InputError: if the tensors do not match the network; the message names them.
    """
    layers = tuple(f"{layer}." for layer in network.classifier)
    expected = network.module.state_dict()
    given = {key: tensor for key, tensor in tensors.items() if not key.startswith(layers)}
    for key in expected.keys() - given.keys():
        if key.endswith(UNREAD):
            given[key] = expected[key]
    reshaped = [
        f"{key} {_shape(given[key])}, not {_shape(expected[key])}"
        for key in expected
        if key in given and given[key].shape != expected[key].shape
    ]
    problems = [
        _several("missing", [key for key in expected if key not in given]),
        _several("not expected", [key for key in given if key not in expected]),
        _several("of another shape", reshaped),
    ]
    if any(problems):
        raise InputError(
            f"{path}: does not fit {network.name}: {'; '.join(filter(None, problems))}; "
            "name the network that the weights are of, and its library"
        )
    converted = {key: given[key].to(expected[key].dtype).contiguous() for key in expected}
    network.module.load_state_dict(converted, assign=True)


def weights_sha256(network: Network) -> str:
    """A hash of the name of a network, and of names, shapes and values of its tensors."""
    found = hashlib.sha256(network.architecture.encode())
    for name, tensor in sorted(network.module.state_dict().items()):
        if not name.endswith(UNREAD):
            found.update(f"\n{name} {tensor.dtype} {_shape(tensor)}\n".encode())
            found.update(tensor.contiguous().numpy())
    return found.hexdigest()


def _several(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{what}: {', '.join(names[:NAMED])}{more}"


def _shape(tensor: "Tensor") -> str:
    return " x ".join(map(str, tensor.shape)) or "()"
