"""What `limner info` prints about a dataset, run, checkpoint or the installation."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from limner.backbones.open_backbone import open_backbone
from limner.captioner import BUNDLED_CAPTIONER, checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.course_folder import is_course_folder
from limner.data.dataset import Dataset
from limner.data.facts import facts_of, shapes_of
from limner.data.opening import open_dataset
from limner.errors import InputError
from limner.training.config import TrainConfig


def describe(path: Path | None = None) -> dict[str, str]:
    """Facts by name, in the order to print them.

    Raises:
        InputError: if the path is no dataset, run or checkpoint, or damaged.
    """
    if path is None:
        backbone = open_backbone()
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        captioner = _describe_checkpoint(BUNDLED_CAPTIONER)
        return {
            "limner": version("limner"),
            "python": platform.python_version(),
            "numpy": f"{np.__version__} with {blas['name']} {blas['version']}",
            "onnxruntime": version("onnxruntime"),
            "backbone": f"{backbone.name}, {backbone.dim} features, sha256 {backbone.sha256[:12]}",
            **{f"captioner {name}": fact for name, fact in captioner.items()},
        }
    is_dataset = (path / "dataset.json").exists() or (path / "partial").is_dir()
    if is_dataset or is_course_folder(path):
        return describe_dataset(open_dataset(path))
    if path.is_dir() and not (path / "config.toml").exists():
        raise InputError(f"{path}: neither a dataset nor a run")
    return _describe_checkpoint(checkpoint_path(path))


def describe_dataset(dataset: Dataset) -> dict[str, str]:
    """Facts about a dataset by name, as `describe` gives them."""
    facts = facts_of(dataset)
    words, sources = facts["vocabulary"], facts["sources"]
    of = "" if words["min_count"] is None else f", minimum count {words['min_count']}"
    return {
        "dataset": str(dataset.path),
        **{name: _split(split, words["unit"]) for name, split in facts["splits"].items()},
        "vocabulary": f"{words['size']} {words['unit']}{of}",
        "features": _features(dataset),
        "on disk": f"{facts['bytes'] / 1e6:,.1f} MB, features in {facts['features']['dtype']}",
        "images": ", ".join(source.get("images", "unknown") for source in sources),
        "captions": ", ".join(map(_captions, sources)),
        "skipped": f"{len(facts['left_out'])} images",
        "fingerprint": dataset.fingerprint[:12],
    }


def _captions(source: dict[str, Any]) -> str:
    """Files of the captions, or the path of WebDataset shards."""
    key = "path" if source.get("format") == "webdataset" else "captions"
    return str(source.get(key, "unknown"))


def _split(facts: dict[str, Any], unit: str) -> str:
    lengths = facts["words_a_caption"]
    return (
        f"{facts['images']} images, {facts['captions']} captions, 90 % of "
        f"{lengths['from']} to {lengths['to']} {unit}; {facts['unknown']:.1%} <UNK>"
    )


def _features(dataset: Dataset) -> str:
    """Feature shapes, input size and backbone."""
    train, backbone = dataset.splits["train"], dataset.info.backbone
    both = [" for each of ".join(map(str, reversed(s))) for s in shapes_of(dataset).values()]
    numbers = ", and ".join(
        f"{one} regions" if " for " in one else f"{one} per image" for one in both
    )
    size = backbone.size if backbone else None
    input_size = f", images of {size} x {size}" if size else ""
    views = f", {len(train.views)} augmented views of each training image" if train.views else ""
    explained = [one.explained or 0 for one in (backbone.pca if backbone else {}).values()]
    kept = f", components with {explained[0]:.1%} of the variance" if explained else ""
    return f"{numbers} from {backbone.name if backbone else 'unknown'}{input_size}{kept}{views}"


def _describe_checkpoint(path: Path) -> dict[str, str]:
    checkpoint = load_checkpoint(path)
    model, info = checkpoint.model, checkpoint.info
    config, usual = msgspec.to_builtins(model.config), TrainConfig().to_flat()
    sizes = {"hidden": "hidden_dim", "word vectors": "wordvec_dim"}  # if the model has them
    known = "".join(f", {name} {config[key]}" for name, key in sizes.items() if key in config)
    training = {k: v for k, v in info.training.items() if usual.get(k) != v}
    facts = {
        "checkpoint": str(path),
        "model": f"{model.title}, {model.num_parameters:,} parameters{known}",
        "vocabulary": f"{len(model.word_to_idx)} {checkpoint.vocabulary.unit}",
        "backbone": checkpoint.backbone.title if checkpoint.backbone else "unknown",
        "training": _join(training),
    }
    for split, scores in info.scores.items():
        facts[f"scores on {split}"] = _join({k: round(v, 1) for k, v in scores.items()})
    return facts


def _join(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())
