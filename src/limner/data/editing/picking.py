"""Some rows of prepared datasets, written as a dataset of their own: no picture is looked at again.

The vocabulary is made anew, from what people wrote.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from limner.backbones.pca import Projection
from limner.config import sha256_of_json
from limner.data.dataset import Dataset, Split
from limner.data.opening import open_dataset
from limner.data.origins import noted
from limner.data.schema import Origin
from limner.data.tokens import References, TokenConfig
from limner.data.writing import Features, Rows, write_dataset
from limner.errors import InputError
from limner.typing import Array, Int


@dataclass(frozen=True)
class Pick:
    """Rows of a dataset.

    Attributes:
        dataset: with raw captions.
        rows: of each split, ascending.
        renamed: {name that a picture gets: its name there}.
    """

    dataset: Dataset
    rows: Mapping[str, Int[Array, " M"]]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def origins(self) -> list[Origin]:
        """Where these rows came from."""
        return [
            Origin(
                one.source,
                one.pictures,
                {**one.renamed, **{new: one.renamed.get(o, o) for new, o in self.renamed.items()}},
            )
            for one in self.dataset.origins.cut(self.rows)
        ]


def open_captioned(path: Path) -> Dataset:
    """Open a dataset that has raw captions.

    Raises:
        InputError: as `open_dataset` does; or if it is the course's folder, which has none.
    """
    dataset = open_dataset(path)
    if not dataset.references:
        raise InputError(
            f"{path}: the course's folder has no captions as people wrote them, only word ids; "
            "prepare a dataset from pictures and captions"
        )
    return dataset


def check_free(out: Path) -> None:
    """Raise InputError where a dataset must not be written."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: a file; --out takes a folder")
    if (out / "dataset.json").exists() or (out / "partial").is_dir():
        raise InputError(
            f"{out}: holds a dataset already, or a part of one; choose another --out, or delete "
            "it first"
        )


def same_tokens(dataset: Dataset) -> TokenConfig:
    """How a dataset's captions became ids."""
    usual = TokenConfig()
    return TokenConfig(
        min_count=dataset.info.min_count or usual.min_count,
        max_words=dataset.info.max_words or usual.max_words,
        tokens="char" if dataset.vocabulary.of_characters else "word",
    )


def write_picked(
    out: Path, picks: Sequence[Pick], references: References, words: TokenConfig
) -> Dataset:
    """Write rows of one or several datasets as a new one, in bounded memory.

    Args:
        out: its folder.
        picks: their features must be of one kind.
        references: captions of all rows, those of the first dataset first.
        words: how captions become ids.

    Raises:
        InputError: if no vocabulary can be made of the captions.
        LimnerError: if the disk is full.
    """
    first = picks[0].dataset
    info = msgspec.structs.replace(
        noted([origin for pick in picks for origin in pick.origins()]),
        fingerprint=_fingerprint(picks, references, words),
        backbone=first.info.backbone,
        features=first.info.features or ("grid" if first.has_grid else "pooled"),
        views=len(first.splits["train"].views),
        skipped={
            image: why
            for pick in reversed(picks)
            for image, why in pick.dataset.info.skipped.items()
        },
    )
    projections = {
        part: Projection.load(first.path / f"{part}_pca.safetensors")
        for part in (first.info.backbone.pca if first.info.backbone else ())
    }
    dtype = first.splits["train"].features.dtype
    write_dataset(out, references, words, _features(picks, references), dtype, info, projections)
    return open_dataset(out)


def _features(picks: Sequence[Pick], references: References) -> Features:
    parts = {"features": [pick.dataset.splits for pick in picks]}
    if picks[0].dataset.others:
        parts["grid"] = [pick.dataset.others for pick in picks]
    return {
        part: {split: _pieces(splits, picks, split) for split in references}
        for part, splits in parts.items()
    }


def _pieces(
    splits: Sequence[Mapping[str, Split]], picks: Sequence[Pick], name: str
) -> list[list[Rows]]:
    """For a split's pictures, and each of their views: rows of one dataset after the other."""
    found = [
        (some[name], pick.rows[name])
        for some, pick in zip(splits, picks, strict=True)
        if len(pick.rows.get(name, ()))
    ]
    return [
        [Rows(arrays, rows, arrays.shape[1:]) for arrays, rows in views]
        for views in zip(
            *([(a, rows) for a in (split.features, *split.views)] for split, rows in found),
            strict=True,
        )
    ]


def _fingerprint(picks: Sequence[Pick], references: References, words: TokenConfig) -> str:
    """A hash of all that the new dataset depends on."""
    rows = [
        [pick.dataset.fingerprint, {split: some.tolist() for split, some in pick.rows.items()}]
        for pick in picks
    ]
    return sha256_of_json([rows, references, words.facts])
