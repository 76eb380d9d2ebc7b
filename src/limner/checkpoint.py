"""A checkpoint: one `.safetensors` file that holds all a model needs to caption an image.

The tensors are the parameters, named as in the model's `params`, and the features' mean and
standard deviation; other tensors carry a prefix (`pca/`, `optimizer/`, `solver/`). Everything else
is JSON under the metadata key `limner`. Nothing in the file can run code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from limner.backbones.info import BackboneInfo
from limner.backbones.pca import Projection
from limner.errors import InputError
from limner.io import write_atomically
from limner.models import CaptioningModel, model_class
from limner.typing import Array
from limner.vocabulary import SPECIAL, Vocabulary

SCHEMA_VERSION = 1

STANDARDISATION = ("feature_mean", "feature_std")
"""Attributes of a model that are kept beside its parameters."""


class TrainedOn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The dataset that a model was trained on; "" for what is not known."""

    fingerprint: str = ""
    path: str = ""
    name: str = ""  # in the place of a path, in a checkpoint that is published


class SolverState(msgspec.Struct, frozen=True, kw_only=True):
    """What a training needs to continue, beside its tensors."""

    rng: dict[str, Any]  # the state of NumPy's generator
    best: dict[str, float]  # validation scores of the best model
    best_epoch: Annotated[int, Meta(ge=0)] = 0
    seconds: Annotated[float, Meta(ge=0)]


class CheckpointInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a model, beside the model itself; every field may be missing.

    Attributes:
        limner_version: of the limner that trained it.
        backbone: what its features come from.
        dataset: what it was trained on.
        training: the settings, as `TrainConfig.to_flat` gives them, `iteration` and `seconds`.
        scores: {split: {score: value}}.
        solver: None where training cannot continue.
    """

    limner_version: str = "unknown"
    backbone: BackboneInfo | None = None
    dataset: TrainedOn = TrainedOn()
    training: dict[str, bool | int | float | str | list[str]] = {}
    scores: dict[str, dict[str, float]] = {}
    solver: SolverState | None = None


class _Header(CheckpointInfo, frozen=True, kw_only=True):
    """The JSON of a checkpoint."""

    schema_version: int
    model: dict[str, Any]
    vocabulary: list[str]


@dataclass
class Checkpoint:
    """A model with its metadata.

    Attributes:
        model: the model.
        info: metadata.
        state: arrays of the training state, by name.
        projection: principal components that the features are projected on, if any.
    """

    model: CaptioningModel
    info: CheckpointInfo = field(default_factory=CheckpointInfo)
    state: dict[str, Array] = field(default_factory=dict)
    projection: Projection | None = None

    def __repr__(self) -> str:
        return f"Checkpoint({self.model!r}, backbone {self.backbone and self.backbone.title})"

    @property
    def backbone(self) -> BackboneInfo | None:
        """The backbone of the model's features; None if unknown."""
        return self.info.backbone

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the model."""
        return Vocabulary.from_mapping(self.model.word_to_idx)


def save_checkpoint(
    path: Path | str,
    model: CaptioningModel,
    info: CheckpointInfo | None = None,
    state: Mapping[str, Array] | None = None,
    dtype: type[np.floating] | None = None,
    projection: Projection | None = None,
) -> None:
    """Write a checkpoint; an older one under the same name stays whole until the new one is.

    Args:
        path: usually ends in `.safetensors`.
        model: what to keep.
        info: where the model comes from.
        state: see `Checkpoint.state`.
        dtype: stores the parameters in this precision, e.g. np.float16 for a model that ships;
            None keeps the model's.
        projection: see `Checkpoint.projection`.

    Raises:
        LimnerError: if the file cannot be written.
    """
    kept = {**model.params, **{name: getattr(model, name) for name in STANDARDISATION}}
    tensors = {name: np.asarray(param, dtype=dtype, order="C") for name, param in kept.items()}
    tensors |= {name: np.asarray(value, order="C") for name, value in (state or {}).items()}
    if projection:
        tensors |= {f"pca/{name}": value for name, value in projection.tensors().items()}
    words = Vocabulary.from_mapping(model.word_to_idx).idx_to_word
    shape = {"input_dim": model.input_dim, **msgspec.to_builtins(model.config)}
    facts = msgspec.to_builtins(info or CheckpointInfo())
    header = {"schema_version": SCHEMA_VERSION, "model": shape, "vocabulary": words, **facts}
    write_atomically(Path(path), save(tensors, {"limner": json.dumps(header, ensure_ascii=False)}))


def load_checkpoint(path: Path | str) -> Checkpoint:
    """Read a checkpoint; the model computes in float32.

    Args:
        path: the file.

    Returns:
        The model with its metadata.

    Raises:
        InputError: if the file is missing, damaged, of another version, or not a checkpoint.
    """
    path = Path(path)
    facts, tensors = _read(path)
    version = facts.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: a checkpoint of schema version {version}, and this limner reads version "
            f"{SCHEMA_VERSION}; use the limner that wrote it, or train again"
        )
    try:
        header = msgspec.convert(facts, _Header)
        words, config = header.vocabulary, header.model
        kind = model_class(config.pop("kind", "rnn"))  # at first there was one kind
        input_dim = config.pop("input_dim")
        _check_sizes({"input_dim": input_dim, **config}, tensors)
        model = kind.from_config(
            kind.config_type.from_values(config),
            {word: index for index, word in enumerate(words)},
            input_dim,
            np.random.default_rng(0),
        )
        if tuple(words[: len(SPECIAL)]) != SPECIAL:
            raise ValueError(f"the vocabulary does not begin with {' '.join(SPECIAL)}")
        for name, param in model.params.items():
            if name not in tensors:
                raise ValueError(f"no {name}")
            tensor = tensors.pop(name)
            if tensor.shape != param.shape:
                raise ValueError(f"{name} is {tensor.shape}, expected {param.shape}")
            if not np.isfinite(tensor).all():
                raise ValueError(f"{name} has entries that are not finite")
            model.params[name] = tensor.astype(model.dtype)
        for name in STANDARDISATION:
            if name in tensors:
                tensor = tensors.pop(name)
                if tensor.shape != getattr(model, name).shape or not np.isfinite(tensor).all():
                    raise ValueError(
                        f"{name} is {tensor.shape}, or has entries that are no numbers"
                    )
                setattr(model, name, tensor.astype(model.dtype))
        parts = {n.removeprefix("pca/"): tensors.pop(n) for n in [*tensors] if n[:4] == "pca/"}
        projection = Projection.from_tensors(parts) if parts else None
        info = msgspec.convert(facts, CheckpointInfo)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise InputError(f"{path}: the checkpoint is inconsistent ({error}); train again") from None
    return Checkpoint(model, info, tensors, projection)


def _check_sizes(shape: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
    """Refuse a model that is larger than the file, before memory is taken for it."""
    largest = max((size for tensor in tensors.values() for size in tensor.shape), default=0)
    for name, size in shape.items():
        if isinstance(size, int) and size > max(largest, len(tensors)):
            raise ValueError(f"{name} {size}, and no tensor is so large")


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """The JSON header and all tensors of a safetensors file."""
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; `limner train` writes one into its run")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get("limner", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise InputError(
            f"{path}: not a checkpoint, or a damaged one ({error}); copy it again or train again"
        ) from None
    if not isinstance(header, dict):
        raise InputError(f"{path}: a safetensors file, but not one of limner's checkpoints")
    return header, tensors
