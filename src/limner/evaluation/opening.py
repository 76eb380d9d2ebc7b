"""Loading of models for evaluation, with their dataset."""

from collections.abc import Sequence
from pathlib import Path

from limner.backbones.info import same_features, title_of
from limner.captioner import checkpoint_path
from limner.checkpoint import Checkpoint, load_checkpoint
from limner.data.dataset import Dataset
from limner.data.opening import open_dataset
from limner.errors import InputError


def open_for(
    models: Sequence[Path], data: Path | Dataset | None
) -> tuple[list[Checkpoint], Dataset]:
    """Load models, and open the given dataset or that of their training.

    Raises:
        InputError: if no dataset is known, they were trained on different ones, or its features
            are of another backbone.
    """
    paths = [checkpoint_path(model) for model in models]
    checkpoints = [load_checkpoint(path) for path in paths]
    known = [checkpoint.info.dataset for checkpoint in checkpoints]
    for path, trained_on in zip(paths, known, strict=True):
        if data is None and not trained_on.path:
            raise InputError(f"{path}: its training dataset is unknown; give it with `dataset`")
        if data is None and trained_on.fingerprint != known[0].fingerprint:
            raise InputError(
                f"{paths[0]} was trained on {known[0].path}, {path} on {trained_on.path}: "
                "scores on different images cannot be compared; give one with `dataset`"
            )
    dataset = data if isinstance(data, Dataset) else open_dataset(data or Path(known[0].path))
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        ours, theirs = checkpoint.backbone, dataset.info.backbone
        if ours and not same_features(ours, theirs):
            raise InputError(
                f"{dataset.path}: features of {title_of(theirs)}, but {path} was trained on "
                f"those of {ours.title}; prepare the dataset with the model's backbone"
            )
    return checkpoints, dataset
