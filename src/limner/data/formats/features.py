"""Precomputed features with ids and captions, without images."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from limner.data.blocks import blocks
from limner.data.formats.folder import Folder
from limner.data.formats.format import Candidate, Format
from limner.data.formats.source import Source
from limner.data.formats.splits import read_names
from limner.data.hdf5 import map_features
from limner.errors import InputError
from limner.typing import Array, Float

ID_KEYS = ("ids", "image_ids", "filenames", "file_names", "names", "image_names", "images")


class Features(Format):
    """Features in HDF5 or .npy, and captions of any format, named or in the same folder."""

    name = "features"
    title = "features in HDF5 or .npy, with ids and captions, and no images"
    suffixes = (".h5", ".hdf5", ".npy")
    needs_captions = True
    one_file = True
    ignored = ("images",)

    def detect(self, file: Candidate) -> bool:
        return file.suffix in self.suffixes

    def read(self, path: Path, files: Sequence[Path], images: Folder) -> Source:
        [file] = files
        features, ids = read_features(file)
        return Source(
            file,
            title=f"the features of {file.name}",
            root=file.parent,
            features=features,
            feature_ids=ids,
            feature_file=file,
        )


def read_features(path: Path) -> tuple[Float[Array, "N *_ D"], tuple[str, ...]]:
    """Memory-mapped features, and the id of each row.

    The ids are in the HDF5 file, or one per line in NAME.txt or ids.txt beside it.

    Args:
        path: HDF5 with `features`, (N, D) or (N, L, D) for regions; or `.npy`.

    Returns:
        The features, and their ids.

    Raises:
        InputError: if the file is damaged, has values that are not finite floats, or the number of
            ids differs.
    """
    features, ids = _open(path)
    place = path
    if ids is None:
        beside = (path.with_suffix(".txt"), path.parent / "ids.txt")
        place = next(filter(Path.is_file, beside), path)
        if place == path:
            raise InputError(
                f"{path}: no ids of its {len(features)} rows; expected an array `ids` in it, or "
                f"{beside[0].name} beside it, an id a line"
            )
        ids = read_names(place)
    if len(ids) != len(features):
        raise InputError(f"{place}: {len(ids)} ids for {len(features)} rows of features")
    if len(set(ids)) < len(ids):
        [(twice, _)] = Counter(ids).most_common(1)
        raise InputError(f"{place}: the id {twice} stands there twice")
    _refuse_nan(path, features, ids)
    return features, tuple(ids)


def _refuse_nan(path: Path, features: Array, ids: Sequence[str]) -> None:
    start = 0
    for block in blocks(features):
        good = np.isfinite(block).reshape(len(block), -1).all(axis=1)
        if not good.all():
            row = start + int(np.argmin(good))
            raise InputError(
                f"{path}: the features of {ids[row]} (row {row}) are not all finite numbers; "
                "leave it out, or compute them again"
            )
        start += len(block)


def _open(path: Path) -> tuple[Array, list[str] | None]:
    """The features, and the ids if they are in the same file."""
    try:
        if path.suffix.lower() == ".npy":
            features = np.load(path, mmap_mode="r", allow_pickle=False)
            if not isinstance(features, np.ndarray):
                raise InputError(
                    f"{path}: several arrays (npz), expected one; save it with numpy.save"
                )
            _refuse_other_arrays(path, features)
            return features, None
        with h5py.File(path, "r", locking=False) as file:  # some file systems have no locks
            array = file.get("features")
            if not isinstance(array, h5py.Dataset):
                raise InputError(
                    f"{path}: no array `features`; it has {', '.join(list(file)[:5]) or 'nothing'}"
                )
            _refuse_other_arrays(path, array)
            key = next((key for key in ID_KEYS if isinstance(file.get(key), h5py.Dataset)), None)
            values = None if key is None else np.atleast_1d(file[key][()]).tolist()
    except InputError:
        raise
    except Exception as error:  # any exception: NumPy evaluates the header as Python source
        why = " ".join(str(error).split())
        raise InputError(f"{path}: damaged, or not what its name says ({why})") from None
    try:
        ids = values and [v.decode() if isinstance(v, bytes) else str(v) for v in values]
        "".join(ids or ()).encode()
    except UnicodeError:
        raise InputError(f"{path}: `{key}` is not text in UTF-8") from None
    return map_features(path), ids


def _refuse_other_arrays(path: Path, array: Array | h5py.Dataset) -> None:
    if array.dtype.kind != "f" or array.ndim not in (2, 3) or not array.size:
        raise InputError(
            f"{path}: {array.dtype} {array.shape}, expected floats (images, D) or "
            "(images, regions, D)"
        )
