"""Facts about a dataset, for `limner info` and JSON."""

from typing import Any

import msgspec
import numpy as np

from limner.backbones.info import title_of
from limner.data.dataset import Dataset
from limner.typing import Array, Int
from limner.vocabulary import NULL, UNK, Vocabulary


def facts_of(dataset: Dataset) -> dict[str, Any]:
    """Facts about a dataset that do not need its images; JSON-serializable.

    Args:
        dataset: the dataset.

    Returns:
        Counts, shapes, vocabulary, backbone and sources.
    """
    info, words = dataset.info, dataset.vocabulary
    train = dataset.splits["train"]
    return {
        "dataset": str(dataset.path),
        "splits": {
            name: {
                "images": len(split.image_ids),
                "captions": len(split.captions),
                "words_a_caption": _lengths(split.captions, words),
                "unknown": _unknown(split.captions, words),
            }
            for name, split in dataset.splits.items()
        },
        "vocabulary": {
            "size": len(words),
            "unit": words.unit,
            "min_count": info.min_count,
            "max_words": info.max_words,
        },
        "features": {
            "kept": info.features or ("grid" if dataset.has_grid else "pooled"),
            "shapes": {part: list(shape) for part, shape in shapes_of(dataset).items()},
            "dtype": train.features.dtype.name,
            "views": len(train.views),
            "backbone": msgspec.to_builtins(info.backbone),
        },
        "bytes": sum(file.stat().st_size for file in dataset.path.iterdir() if file.is_file()),
        "sources": [msgspec.to_builtins(origin.source) for origin in dataset.origins.all],
        "left_out": info.skipped,
        "fingerprint": dataset.fingerprint,
    }


def shapes_of(dataset: Dataset) -> dict[str, tuple[int, ...]]:
    """{part: shape of an image's features}; parts as `limner.data.writing.Features` has them."""
    return {part: splits["train"].features.shape[1:] for part, splits in dataset.parts.items()}


def features_title(dataset: Dataset) -> str:
    """A description of the features; datasets with the same one can be merged."""
    backbone, train = dataset.info.backbone, dataset.splits["train"]
    shapes = [" x ".join(map(str, shape)) for shape in shapes_of(dataset).values()]
    numbers = f"{' and '.join(shapes)} numbers as {train.features.dtype.name}"
    views = f", {len(train.views)} altered views" if train.views else ""
    components = "".join(
        f", components {found.sha256[:12]}" for found in (backbone.pca if backbone else {}).values()
    )
    return f"{numbers} of {title_of(backbone)}{components}{views}"


def _lengths(captions: Int[Array, "M T"], words: Vocabulary) -> dict[str, Any]:
    """Lengths of the stored captions in tokens."""
    lengths = (captions != words.word_to_idx[NULL]).sum(axis=1) - 2  # <START> and <END>
    low, middle, high = np.percentile(lengths, [5, 50, 95]).astype(int).tolist()
    return {"middle": middle, "from": low, "to": high, "most": int(lengths.max())}


def _unknown(captions: Int[Array, "M T"], words: Vocabulary) -> float:
    """The share of `<UNK>` among the tokens."""
    said = int((captions != words.word_to_idx[NULL]).sum()) - 2 * len(captions)
    return float((captions == words.word_to_idx[UNK]).sum() / max(said, 1))
