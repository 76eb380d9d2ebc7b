"""The course's data as a dict of arrays, from the course's files or a dataset of limner.

Shapes: N images, M captions, T words, D features.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from limner.backbones.pca import fit
from limner.data.blocks import blocks
from limner.data.course_folder import DEMO_FOLDER, HOW, open_course_folder
from limner.data.dataset import Dataset, Split
from limner.data.opening import open_dataset
from limner.errors import InputError
from limner.typing import Array, Float, Int

COURSE_FOLDER = Path("cs682/datasets/coco_captioning")
PCA_DIM = 512


def load_coco_data(
    base_dir: str | Path | None = None,
    max_train: int | None = None,
    pca_features: bool = True,
) -> dict[str, Any]:
    """The course's dict: captions, features and URLs of `train` and `val`, and the vocabulary.

    Args:
        base_dir: the course's `coco_captioning` folder, or a dataset of `limner prepare` or
            `limner demo`. None searches for `cs682/datasets/coco_captioning` and
            `limner-demo/dataset`, in the current folder and its parents.
        max_train: number of training captions, sampled with replacement from NumPy's global
            random state, as the course does.
        pca_features: use features reduced to 512 principal components: the course's `_pca` files,
            or computed here from a dataset of limner.

    Returns:
        {train,val}_captions (M, T) int32, {train,val}_image_idxs (M,) int32,
        {train,val}_features (N, D) float32, idx_to_word, word_to_idx, {train,val}_urls (N,).

    Raises:
        InputError: if a file is missing or damaged.
    """
    folder = _find() if base_dir is None else Path(base_dir)
    if (folder / "dataset.json").exists() or (folder / "partial").exists():
        dataset = open_dataset(folder)
        if pca_features:
            dataset = replace(dataset, splits=_principal_components(dataset.splits))
    else:
        dataset = open_course_folder(folder, pca_features)
    data = _course_dict(dataset)
    if max_train is not None:
        rows = np.random.randint(len(data["train_captions"]), size=max_train)
        data["train_captions"] = data["train_captions"][rows]
        data["train_image_idxs"] = data["train_image_idxs"][rows]
    return data


def sample_coco_minibatch(
    data: Mapping[str, Any], batch_size: int = 100, split: str = "train"
) -> tuple[Int[Array, "B T"], Float[Array, "B D"], Array]:
    """Random captions of a split, with replacement, from NumPy's global random state.

    Args:
        data: of `load_coco_data`.
        batch_size: B.
        split: "train" or "val".

    Returns:
        captions (B, T), features (B, D), urls (B,).
    """
    rows = np.random.choice(len(data[f"{split}_captions"]), batch_size)
    features, captions, _ = Split.from_course(data, split).minibatch(rows)
    return captions, features, data[f"{split}_urls"][data[f"{split}_image_idxs"][rows]]


def _find() -> Path:
    here = Path.cwd()
    for parent in (here, *here.parents):
        for folder in (COURSE_FOLDER, DEMO_FOLDER):
            if (parent / folder).is_dir():
                return parent / folder
    raise InputError(f"neither {COURSE_FOLDER} nor {DEMO_FOLDER} found from {here} up. {HOW}")


def _principal_components(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Features (N, D) as (N, 512 or D) float32, on the principal components of `train`.

    Pooled features are positive and similar; centered, they suit the course's learning rates.
    """
    features = splits["train"].features
    projection = fit(lambda: blocks(features), min(PCA_DIM, features.shape[1]))
    return {
        name: replace(split, features=projection.project(split.features))
        for name, split in splits.items()
    }


def _course_dict(dataset: Dataset) -> dict[str, Any]:
    """The dict with the course's keys; `val` is the validation split."""
    splits = {"train": dataset.splits["train"], "val": dataset.split()[1]}
    data: dict[str, Any] = {}
    for name, split in splits.items():
        data[f"{name}_captions"] = split.captions
        data[f"{name}_image_idxs"] = split.image_idxs
    for name, split in splits.items():
        data[f"{name}_features"] = np.asarray(split.features)
    data["idx_to_word"] = list(dataset.vocabulary.idx_to_word)
    data["word_to_idx"] = dict(dataset.vocabulary.word_to_idx)
    for name, split in splits.items():
        data[f"{name}_urls"] = np.array([_address(dataset, image) for image in split.image_ids])
    return data


def _address(dataset: Dataset, image_id: str) -> str:
    """The URL or path of an image."""
    if image_id.startswith(("http://", "https://")):
        return image_id
    try:
        return str(dataset.image_file(image_id))
    except InputError:
        return image_id
