"""What `limner info` says of a dataset, a run, a checkpoint, or of limner itself."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from limner.captioner import BUNDLED_CAPTIONER, checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.backbone import backbone_title
from limner.data.dataset import Dataset
from limner.data.open_backbone import open_backbone
from limner.data.opening import open_dataset
from limner.errors import InputError
from limner.settings import TrainConfig


def describe(path: Path | None = None) -> dict[str, str]:
    """Facts by name, in the order to print them.

    Raises:
        InputError: if the path is none of the three, or damaged.
    """
    if path is None:
        return _describe_limner()
    if (path / "dataset.json").exists() or (path / "partial").is_dir():
        return _describe_dataset(open_dataset(path))
    if path.is_dir() and not (path / "config.toml").exists():
        raise InputError(f"{path}: neither a dataset nor a run")
    return _describe_checkpoint(checkpoint_path(path))


def _describe_limner() -> dict[str, str]:
    backbone = open_backbone()
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "limner": version("limner"),
        "python": platform.python_version(),
        "numpy": f"{np.__version__} with {blas['name']} {blas['version']}",
        "onnxruntime": version("onnxruntime"),
        "backbone": f"{backbone.name}, {backbone.dim} features, sha256 {backbone.sha256[:12]}",
        **{f"captioner {k}": v for k, v in _describe_checkpoint(BUNDLED_CAPTIONER).items()},
    }


def _describe_dataset(dataset: Dataset) -> dict[str, str]:
    vocabulary = f"{len(dataset.vocabulary)} {dataset.vocabulary.unit}"
    facts = {
        name: f"{len(split.image_ids)} pictures, {len(split.captions)} captions"
        for name, split in dataset.splits.items()
    }
    info = dataset.info
    return {
        "dataset": str(dataset.path),
        **facts,
        "vocabulary": f"{vocabulary} of {info.get('min_count')} uses or more",
        "features": _features(dataset),
        "pictures": info["source"]["images"],
        "captions": info["source"]["captions"],
        "left out": f"{len(info['skipped'])} pictures",
        "fingerprint": dataset.fingerprint[:12],
    }


def _features(dataset: Dataset) -> str:
    """How many numbers of how many places, of pictures of which size, from which backbone."""
    train, backbone = dataset.splits["train"], dataset.info["backbone"]
    places = f" at each of {train.features.shape[1]} places" if dataset.has_grid else ""
    size = backbone.get("preprocessing", {}).get("size", "?")
    views = f", {len(train.views)} altered views of every training picture" if train.views else ""
    numbers = f"{dataset.input_dim} numbers{places}"
    return f"{numbers} from {backbone['name']}, pictures of {size} x {size}{views}"


def _describe_checkpoint(path: Path) -> dict[str, str]:
    checkpoint = load_checkpoint(path)
    model, info = checkpoint.model, checkpoint.info
    usual = msgspec.to_builtins(TrainConfig())
    training = {k: v for k, v in info.get("training", {}).items() if usual.get(k) != v}
    facts = {
        "checkpoint": str(path),
        "model": f"{model.title}, {model.num_parameters:,} parameters, "
        f"hidden {model.config['hidden_dim']}, word vectors {model.config['wordvec_dim']}",
        "vocabulary": f"{len(model.word_to_idx)} {checkpoint.vocabulary.unit}",
        "backbone": backbone_title(info["backbone"]) if info.get("backbone") else "unknown",
        "training": _join(training),
    }
    for split, scores in info.get("scores", {}).items():
        facts[f"scores on {split}"] = _join({k: round(v, 1) for k, v in scores.items()})
    return facts


def _join(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())
