"""A dataset on disk: captions as word ids, one row of features a picture, raw references.

    dataset.json          schema version, splits and counts, backbone, where it came from
    vocab.json            the words and their ids
    captions.h5           {split}_captions int32 (M, T), {split}_image_idxs int32 (M,)
    {split}_features.h5   key "features", contiguous, so that it can be mapped: float32 (N, D), or
                          of every place float16 (N, L, D)
    train_view1.h5, ...   the same of altered views, if they were asked for
    {split}_images.txt    one image id a line
    references.json       {split: {image id: [raw captions]}}

Shapes: N pictures, M captions, T words, L places, D features.
"""

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from limner.arrays import Array, Float, Int
from limner.errors import InputError
from limner.files import cannot_write
from limner.vocabulary import Vocabulary

SCHEMA_VERSION = 1

UNPACKED = 4_000_000
"""Bytes of compressed features that are unpacked at a time, or a row of chunks, if that is more."""


@dataclass(frozen=True)
class Split:
    """One part of a dataset.

    Attributes:
        captions: (M, T) word ids.
        image_idxs: (M,) the row in `features` of each caption's picture.
        features: (N, D) or (N, L, D); may be a memory map.
        image_ids: N names or URLs.
        views: features of altered views of the pictures, each as `features`.
    """

    captions: Int[Array, "M T"]
    image_idxs: Int[Array, " M"]
    features: Float[Array, "N *_ D"]
    image_ids: tuple[str, ...]
    views: tuple[Float[Array, "N *_ D"], ...] = ()

    @classmethod
    def from_course(cls, data: Mapping[str, Any], name: str) -> "Split":
        """The split `name` of the dict that the course's `load_coco_data` returns."""
        return cls(
            data[f"{name}_captions"],
            data[f"{name}_image_idxs"],
            data[f"{name}_features"],
            tuple(data.get(f"{name}_urls", ())),
        )

    def minibatch(
        self, rows: Int[Array, " B"], rng: np.random.Generator | None = None
    ) -> tuple[Int[Array, "B T"], Float[Array, "B *_ D"]]:
        """The captions of these rows, and the features of their pictures.

        With `rng`, and where there are views, every picture's is drawn among them and itself.
        """
        return self.captions[rows], self.seen(self.image_idxs[rows], rng)

    def shared_minibatch(
        self, rows: Int[Array, " B"], rng: np.random.Generator | None = None
    ) -> tuple[Int[Array, "B T"], Float[Array, "M *_ D"], Int[Array, " B"]]:
        """The captions of these rows, the M pictures' features once each, and whose is whose."""
        images, whose = np.unique(self.image_idxs[rows], return_inverse=True)
        return self.captions[rows], self.seen(images, rng), whose

    def seen(
        self, images: Int[Array, " M"], rng: np.random.Generator | None = None
    ) -> Float[Array, "M *_ D"]:
        """The features of these pictures, or of views of them; see `minibatch`."""
        features: Array = self.features[images]
        if rng is not None and self.views:
            drawn = rng.integers(1 + len(self.views), size=len(images))
            for number, view in enumerate(self.views, start=1):
                chosen = np.flatnonzero(drawn == number)
                features[chosen] = view[images[chosen]]
        return features


@dataclass(frozen=True)
class Dataset:
    """An opened dataset.

    Attributes:
        path: its folder.
        vocabulary: the words.
        splits: by name, e.g. "train" and "dev".
        references: {split: {image id: [raw captions]}}; empty for the course's folder, which
            does not hold them.
        info: the contents of dataset.json.
    """

    path: Path
    vocabulary: Vocabulary
    splits: dict[str, Split]
    references: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def input_dim(self) -> int:
        """D."""
        return int(self.splits["train"].features.shape[-1])

    @property
    def has_grid(self) -> bool:
        """Whether every place of a picture has features of its own."""
        return self.splits["train"].features.ndim == 3

    @property
    def fingerprint(self) -> str:
        """Tells two datasets apart: what their captions, pictures and backbone were."""
        return str(self.info.get("fingerprint", self.vocabulary.sha256))

    def split(self, name: str | None = None) -> tuple[str, Split]:
        """A split by name; None takes the one to validate on: `dev`, else `val`, else `test`."""
        names = [name] if name else ["dev", "val", "test"]
        for candidate in names:
            if candidate in self.splits:
                return candidate, self.splits[candidate]
        raise InputError(
            f"{self.path}: no split {' or '.join(names)}; it has {', '.join(self.splits)}"
        )

    def image_path(self, image_id: str) -> Path:
        """Where the picture was when the dataset was prepared."""
        return Path(self.info.get("source", {}).get("images", "")) / image_id


def open_dataset(path: Path | str) -> Dataset:
    """Open the folder that `prepare` wrote.

    Raises:
        InputError: if it is not one, is half-written, damaged, or does not hold together.

    >>> open_dataset(Path("nowhere"))
    Traceback (most recent call last):
    limner.errors.InputError: nowhere: no such folder; `limner prepare` makes a dataset
    """
    path = Path(path)
    info = _read_info(path)
    vocabulary = Vocabulary.load(_existing(path / "vocab.json"))
    if vocabulary.sha256 != info.get("vocabulary_sha256"):
        raise InputError(
            f"{path / 'vocab.json'}: the vocabulary of another dataset; prepare this one again"
        )
    splits = {name: _read_split(path, name, vocabulary) for name in info["splits"]}
    if info.get("views") and "train" in splits:
        splits["train"] = _with_views(path, splits["train"], int(info["views"]))
    if "train" not in splits:
        raise InputError(f"{path / 'dataset.json'}: no split `train`; prepare the dataset again")
    shape = splits["train"].features.shape[1:]
    for name, split in splits.items():
        if split.features.shape[1:] != shape:
            raise InputError(
                f"{path / f'{name}_features.h5'}: features of {_by(split.features.shape[1:])} a "
                f"picture, but train has {_by(shape)}; prepare the dataset again"
            )
    return Dataset(path, vocabulary, splits, _read_references(path, splits), info)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _read_info(path: Path) -> dict[str, Any]:
    """dataset.json, which is written last: without it the folder is not finished."""
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; `limner prepare` makes a dataset")
    file = path / "dataset.json"
    if not file.exists():
        if (path / "partial").is_dir():
            raise InputError(
                f"{path}: half-prepared; run the same `limner prepare` again, it goes on there"
            )
        raise InputError(f"{path}: no dataset.json in it; `limner prepare` makes a dataset")
    info = read_json(file)
    if not isinstance(info, dict) or info.get("schema_version") != SCHEMA_VERSION:
        found = info.get("schema_version") if isinstance(info, dict) else None
        raise InputError(
            f"{file}: schema version {found}, and this limner reads version {SCHEMA_VERSION}; "
            "prepare the dataset again"
        )
    if not isinstance(info.get("splits"), dict):
        raise InputError(f"{file}: no table `splits`; prepare the dataset again")
    return info


def read_json(path: Path) -> Any:
    """JSON in UTF-8, or an `InputError` that names the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: damaged JSON ({error}); prepare the dataset again") from None


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: missing; the dataset is incomplete, prepare it again")
    return path


def _read_references(path: Path, splits: dict[str, Split]) -> dict[str, dict[str, list[str]]]:
    file = _existing(path / "references.json")
    references: dict[str, dict[str, list[str]]] = read_json(file)
    for name, split in splits.items():
        try:
            whole = all(references[name][image] for image in split.image_ids)
        except (KeyError, TypeError):
            whole = False
        if not whole:
            raise InputError(
                f"{file}: no references for some pictures of the split {name}; "
                "prepare the dataset again"
            )
    return references


def _read_split(path: Path, name: str, vocabulary: Vocabulary) -> Split:
    captions, image_idxs = read_arrays(
        path / "captions.h5", f"{name}_captions", f"{name}_image_idxs"
    )
    features = map_features(path / f"{name}_features.h5")
    names = _existing(path / f"{name}_images.txt").read_text("utf-8", errors="replace")
    image_ids = tuple(names.removesuffix("\n").split("\n"))  # a name may hold U+2028 and the like
    check_split(path / "captions.h5", name, captions, image_idxs, len(features), len(vocabulary))
    if len(image_ids) != len(features):
        raise InputError(
            f"{path / f'{name}_images.txt'}: {len(image_ids)} names for {len(features)} pictures; "
            "prepare the dataset again"
        )
    return Split(captions, image_idxs, features, image_ids)


def _with_views(path: Path, split: Split, number: int) -> Split:
    files = [path / f"train_view{view}.h5" for view in range(1, number + 1)]
    views = tuple(map_features(file) for file in files)
    for file, view in zip(files, views, strict=True):
        if view.shape != split.features.shape:
            raise InputError(
                f"{file}: {_by(view.shape)} numbers, but train has {_by(split.features.shape)}; "
                "prepare the dataset again"
            )
    return replace(split, views=views)


def check_split(
    file: Path, name: str, captions: Array, image_idxs: Array, num_images: int, num_words: int
) -> None:
    """Ids must point at words and pictures that exist."""
    if captions.ndim != 2 or image_idxs.shape != captions.shape[:1]:
        raise InputError(
            f"{file}: {name}_captions and {name}_image_idxs do not go together, "
            f"{captions.shape} and {image_idxs.shape}; prepare the dataset again"
        )
    for key, array in (("captions", captions), ("image_idxs", image_idxs)):
        if array.dtype.kind not in "iu":
            raise InputError(
                f"{file}: {name}_{key} is {array.dtype}, expected whole numbers; "
                "prepare the dataset again"
            )
    if captions.size and not 0 <= captions.min() <= captions.max() < num_words:
        raise InputError(
            f"{file}: {name}_captions has word ids from {captions.min()} to {captions.max()}, but "
            f"the vocabulary has {num_words} words: the vocabulary of another dataset? Prepare "
            "this one again"
        )
    if image_idxs.size and not 0 <= image_idxs.min() <= image_idxs.max() < num_images:
        raise InputError(
            f"{file}: {name}_image_idxs has pictures from {image_idxs.min()} to "
            f"{image_idxs.max()}, but there are {num_images}; prepare the dataset again"
        )


def read_arrays(path: Path, *keys: str) -> list[Array]:
    """Whole arrays out of an HDF5 file."""
    with _open_h5(path) as file:
        try:
            return [file[key][()] for key in keys]
        except KeyError as error:
            raise InputError(f"{path}: {error.args[0]}; prepare the dataset again") from None
        except (OSError, TypeError) as error:
            raise _damaged(path, error) from None


def map_features(path: Path) -> Float[Array, "N *_ D"]:
    """The array `features` of an HDF5 file, mapped: it costs no memory until its rows are used.

    Where it does not lie in one piece, chunked or compressed, it is first unpacked into a temporary
    file, in the folder that TMPDIR names.

    Raises:
        InputError: if there is no such array, or the file is damaged.
        LimnerError: if there is no room to unpack it.
    """
    with _open_h5(path) as file:
        features = file.get("features")
        if not isinstance(features, h5py.Dataset):
            raise InputError(f"{path}: no array `features`; prepare the dataset again")
        if features.ndim not in (2, 3) or features.dtype.kind != "f":
            raise InputError(
                f"{path}: `features` is {features.dtype} {features.shape}, expected numbers "
                "(pictures, D) or (pictures, places, D); prepare the dataset again"
            )
        offset = features.id.get_offset()
        try:
            if features.size == 0:  # nothing to map
                return np.empty(features.shape, features.dtype)
            if offset is None:
                return _unpacked(path, features)
            return np.memmap(path, features.dtype, "r", offset, features.shape)
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from None


def _unpacked(path: Path, features: h5py.Dataset) -> Float[Array, "N *_ D"]:
    """A map of a copy without a name, which goes when the array does."""
    try:
        with tempfile.TemporaryFile() as file:
            for block in _blocks(path, features):
                file.write(block.data)
            file.flush()
            return np.memmap(file, features.dtype, "r", 0, features.shape)
    except OSError as error:
        raise cannot_write(Path(tempfile.tempdir or "a temporary file"), error) from None


def _blocks(path: Path, features: h5py.Dataset) -> Iterator[Float[Array, "B *_ D"]]:
    """All rows in turn, as many at a time as make up whole chunks: none is unpacked twice."""
    row_bytes = math.prod(features.shape[1:]) * features.dtype.itemsize
    chunk = features.chunks[0] if features.chunks else 1
    rows = chunk * max(UNPACKED // (chunk * row_bytes), 1)
    for start in range(0, len(features), rows):
        try:
            block: Array = features[start : start + rows]
        except OSError as error:
            raise _damaged(path, error) from None
        yield block


def _open_h5(path: Path) -> h5py.File:
    try:
        return h5py.File(_existing(path), "r")
    except OSError as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())
    return InputError(f"{path}: damaged or truncated ({reason}); prepare the dataset again")
