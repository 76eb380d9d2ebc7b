"""Opening of a dataset, with validation of its files.

Sizes, token and image ids, names, references and, except for features, the SHA-256 in dataset.json
are checked. Features are memory-mapped, not read.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from limner.data.course_folder import is_course_folder, open_course_folder
from limner.data.dataset import Dataset, Split, check_split
from limner.data.hdf5 import map_features, read_arrays
from limner.data.schema import AGAIN, DatasetInfo, FileInfo, read_info
from limner.errors import InputError
from limner.io import existing, read_typed, sha256_of
from limner.vocabulary import Vocabulary


def open_dataset(path: Path | str) -> Dataset:
    """Open a dataset.

    Args:
        path: a folder written by `prepare`, or the course's `coco_captioning`.

    Returns:
        The dataset, with memory-mapped features.

    Raises:
        InputError: if it is not a dataset, incomplete, damaged or inconsistent.

    >>> open_dataset(Path("nowhere"))
    Traceback (most recent call last):
    limner.errors.InputError: nowhere: no such folder; `limner prepare` makes a dataset
    """
    path = Path(path)
    if is_course_folder(path):
        return open_course_folder(path)
    info = _read_info(path)
    vocabulary = Vocabulary.load(existing(path / "vocab.json"))
    if vocabulary.sha256 != info.vocabulary_sha256:
        raise InputError(
            f"{path / 'vocab.json'}: belongs to another dataset; prepare this one again"
        )
    splits = {
        name: _read_split(path, name, counts.images, vocabulary)
        for name, counts in info.splits.items()
    }
    if "train" not in splits:
        raise InputError(f"{path / 'dataset.json'}: no split `train`; {AGAIN}")
    references = _read_references(path, splits)
    parts = {part: _with_features(path, splits, part, info) for part in _parts(info)}
    _check_files(path, info.files)
    return Dataset(
        path, vocabulary, parts["features"], references, info, others=parts.get("grid", {})
    )


def _parts(info: DatasetInfo) -> list[str]:
    """Prefixes of its feature files."""
    return ["features", "grid"] if info.features == "both" else ["features"]


def _with_features(
    path: Path, splits: dict[str, Split], part: str, info: DatasetInfo
) -> dict[str, Split]:
    """The splits with the features of this part, whose shapes must agree."""
    found = {}
    shape: tuple[int, ...] | None = None
    for name, split in splits.items():
        files = [path / f"{name}_{part}.h5"]
        if name == "train":
            files += [path / view_file(part, view) for view in range(1, 1 + info.views)]
        arrays = [map_features(file) for file in files]
        shape = shape or arrays[0].shape[1:]
        for file, array in zip(files, arrays, strict=True):
            if array.shape != (len(split.image_ids), *shape):
                raise InputError(
                    f"{file}: {_by(array.shape)} numbers, expected "
                    f"{_by((len(split.image_ids), *shape))}, as train has; {AGAIN}"
                )
        features, *views = arrays
        found[name] = replace(split, features=features, views=tuple(views))
    return found


def view_file(part: str, view: int) -> str:
    """The file of a view of the training images."""
    return f"train_view{view}.h5" if part == "features" else f"train_{part}_view{view}.h5"


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _read_info(path: Path) -> DatasetInfo:
    """Read dataset.json, which is written last: without it the dataset is incomplete."""
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; `limner prepare` makes a dataset")
    file = path / "dataset.json"
    if not file.exists():
        if (path / "partial").is_dir():
            raise InputError(
                f"{path}: preparation unfinished; run the same `limner prepare` again to resume it"
            )
        raise InputError(f"{path}: no dataset.json in it; `limner prepare` makes a dataset")
    return read_info(file)


def _read_references(path: Path, splits: dict[str, Split]) -> dict[str, dict[str, list[str]]]:
    file = existing(path / "references.json")
    references = read_typed(file, AGAIN, dict[str, dict[str, list[str]]])
    for name, split in splits.items():
        known = references.get(name, {})
        if not all(known.get(image) for image in split.image_ids):
            raise InputError(f"{file}: no references for some images of the split {name}; {AGAIN}")
    return references


def _read_split(path: Path, name: str, count: int, vocabulary: Vocabulary) -> Split:
    """Read a split without its features."""
    captions, image_idxs = read_arrays(
        path / "captions.h5", f"{name}_captions", f"{name}_image_idxs"
    )
    image_ids = _read_lines(path / f"{name}_images.txt", count)
    hashes = path / f"{name}_sha256.txt"
    sha256s = _read_lines(hashes, count) if hashes.exists() else ("",) * count
    check_split(path / "captions.h5", name, captions, image_idxs, len(image_ids), len(vocabulary))
    return Split(captions, image_idxs, np.empty((0, 0)), image_ids, sha256s=sha256s)


def _read_lines(file: Path, count: int) -> tuple[str, ...]:
    """Read a file with one line per image."""
    text = existing(file).read_text("utf-8", errors="replace")
    lines = tuple(text.removesuffix("\n").split("\n"))  # names may contain U+2028 and the like
    if len(lines) != count:
        raise InputError(f"{file}: {len(lines)} lines for {count} images; {AGAIN}")
    return lines


def _check_files(path: Path, files: dict[str, FileInfo]) -> None:
    """Check the length of every file, and the hash of those that are read completely."""
    for name, facts in files.items():
        file = existing(path / name)
        size = file.stat().st_size
        if size != facts.bytes:
            raise InputError(
                f"{file}: {size:,} bytes, and {facts.bytes} were written; copy it again, "
                "or prepare the dataset again"
            )
        if facts.sha256 and sha256_of(file) != facts.sha256:
            raise InputError(
                f"{file}: changed since it was written (its SHA-256 differs); copy it again, or "
                "prepare the dataset again"
            )
