"""Store of image features, keyed by image content.

    FOLDER/plan.json       the backbone and the dtype
    FOLDER/features.f32    rows of fixed size (.f16 for float16)
    FOLDER/keys.jsonl      the keys of these rows, one line per batch

A key identifies an image's content and view, not its name, so that rows remain valid when captions,
splits or other images change. A batch is appended to both files, the keys last; after a crash, the
files are truncated to whole batches.

    N: rows    D: length of a feature vector
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from limner.backbones.backbone import Backbone
from limner.backbones.features import BATCH, batches
from limner.backbones.info import BackboneInfo, same_backbone
from limner.data.dataset import Dataset
from limner.data.facts import features_title
from limner.data.writing import Rows
from limner.errors import InputError
from limner.io import read_typed, write_atomically, writing
from limner.typing import Array, Float

Key = str
"""Key of a row, see `key_of`."""

Source = dict[str, Rows]
"""{"features" or "grid": arrays with rows for some keys}."""

NO_ROWS = np.zeros(0, np.int64)


def key_of(sha256: str, view: int, name: str) -> Key:
    """The key of a view of an image; crops depend on its name, too (`limner.images.views`).

    >>> key_of("ab", 0, "a.jpg"), key_of("ab", 2, "a.jpg")
    ('ab:0', 'ab:2:a.jpg')
    """
    return f"{sha256}:{view}:{name}" if view > 1 else f"{sha256}:{view}"


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """The contents of plan.json."""

    backbone: BackboneInfo
    dtype: str
    rows: list[Key] = []  # of limner 0.1, instead of keys.jsonl

    def __str__(self) -> str:
        return f"{self.backbone.title} in {self.dtype}"


class FeatureStore:
    """Features of images in a folder, one row per view.

    Args:
        folder: created if missing; may contain rows of an earlier run.
        backbone: the backbone of the features.
        dtype: of the stored features.

    Raises:
        InputError: if the folder has other contents, or rows of another backbone or dtype.
    """

    def __init__(self, folder: Path, backbone: Backbone, dtype: np.dtype[Any]) -> None:
        self._folder = folder
        self._shapes = backbone.shapes
        self._dtype = dtype
        self._plan = Plan(backbone.describe(), dtype.name)
        self._file = folder / f"features.f{8 * dtype.itemsize}"
        self._keys = folder / "keys.jsonl"
        self._numbers = math.prod(backbone.shape)
        self._earlier: dict[Key, tuple[Source, int]] = {}
        keys = self._whole_batches()
        self._places = {key: row for row, key in enumerate(keys)}
        first = self._mapped()[:, 0] if keys else np.zeros(0)
        self._unusable = {keys[row] for row in np.flatnonzero(np.isnan(first)).tolist()}

    def __len__(self) -> int:
        return len(self._places) + len(self._earlier)

    def __contains__(self, key: Key) -> bool:
        return key in self._places or key in self._earlier

    def unusable(self, key: Key) -> bool:
        """Whether a row has values that are not finite in the stored dtype."""
        return key in self._unusable

    def append(self, keys: Sequence[Key], features: Float[Array, "N *_ D"]) -> None:
        """Append a batch.

        Raises:
            LimnerError: if the disk is full.
        """
        with np.errstate(over="ignore"):
            rows = features.astype(self._dtype).reshape(len(keys), -1)
        is_usable = np.isfinite(rows).all(axis=1)
        rows[~is_usable] = np.nan
        if not self._places:
            write_atomically(self._folder / "plan.json", msgspec.json.encode(self._plan))
        with writing(self._file):
            with self._file.open("ab") as file:
                file.write(rows.data)
            with self._keys.open("a", encoding="ascii") as file:
                file.write(_line(keys))
        for key, good in zip(keys, is_usable.tolist(), strict=True):
            self._places[key] = len(self._places)
            if not good:
                self._unusable.add(key)

    def add(self, dataset: Dataset) -> None:
        """Add the rows of an earlier dataset, without a copy.

        Raises:
            InputError: if its features differ, or it has no hashes of its images.
        """
        parts = {part: dataset.reading(part == "grid") for part in self._shapes}
        shapes = {part: one.splits["train"].features.shape[1:] for part, one in parts.items()}
        backbone, dtype = dataset.info.backbone, dataset.splits["train"].features.dtype
        is_same = backbone and not backbone.pca and same_backbone(backbone, self._plan.backbone)
        if not is_same or (shapes, dtype) != (self._shapes, self._dtype):
            raise InputError(
                f"{dataset.path}: {features_title(dataset)}, which are other features than those "
                f"of {self._plan}; leave it out"
            )
        if not any(any(split.sha256s) for split in dataset.splits.values()):
            raise InputError(
                f"{dataset.path}: has no image hashes, as datasets of limner 0.1 and "
                "of features alone; leave it out"
            )
        for name, split in dataset.splits.items():
            for view in range(len(split.arrays)):
                source = {
                    part: Rows(one.splits[name].arrays[view], NO_ROWS, self._shapes[part])
                    for part, one in parts.items()
                }
                for row, sha256 in enumerate(split.sha256s):
                    image = split.image_ids[row]
                    file_name = dataset.image_file(image).name if view > 1 else ""
                    if sha256:
                        self._earlier[key_of(sha256, view, file_name)] = source, row

    def pieces(self, keys: Iterable[Key]) -> dict[str, list[Rows]]:
        """{"features" or "grid": the rows of these keys}, memory-mapped."""
        own = self._own()
        places = [self._earlier.get(key) or (own, self._places[key]) for key in keys]
        pieces: dict[str, list[Rows]] = {part: [] for part in self._shapes}
        for _, run in groupby(places, key=lambda place: id(place[0])):
            sources, rows = zip(*run, strict=True)
            for part, source in sources[0].items():
                pieces[part].append(replace(source, rows=np.array(rows)))
        return pieces

    def _own(self) -> Source:
        """The parts of the rows in the file."""
        if not self._places:
            return {}
        features = self._mapped()
        starts = accumulate(map(math.prod, self._shapes.values()), initial=0)
        return {
            part: Rows(features, NO_ROWS, shape, start)
            for (part, shape), start in zip(self._shapes.items(), starts, strict=False)
        }

    def _mapped(self) -> Float[Array, "N D"]:
        return np.memmap(self._file, self._dtype, "r", shape=(len(self._places), self._numbers))

    def _whole_batches(self) -> list[Key]:
        """The keys of the complete batches; truncates the files after them."""
        written = self._written()
        row_bytes = self._numbers * self._dtype.itemsize
        size = self._file.stat().st_size if self._file.exists() else 0
        ends = accumulate(map(len, written))
        whole = [keys for keys, end in zip(written, ends, strict=True) if end * row_bytes <= size]
        wanted = sum(map(len, whole)) * row_bytes
        if size > wanted:
            with writing(self._file), self._file.open("rb+") as file:
                file.truncate(wanted)
        lines = "".join(map(_line, whole)).encode()
        if lines != (self._keys.read_bytes() if self._keys.exists() else b""):
            write_atomically(self._keys, lines)
        return [key for keys in whole for key in keys]

    def _written(self) -> list[list[Key]]:
        """The keys of each batch; raises InputError for keys of another store."""
        file = self._folder / "plan.json"
        if not file.exists():
            if self._folder.exists() and not _is_ours(self._folder):
                raise InputError(
                    f"{self._folder}: holds files that are not limner's, or of an older limner; "
                    "delete that folder, or choose another `out`"
                )
            return []
        again = f"delete {self._folder} to begin again"
        plan = read_typed(file, again, Plan)
        if msgspec.structs.replace(plan, rows=[]) != self._plan:
            raise InputError(
                f"{self._folder}: unfinished preparation with {plan}, but this one uses "
                f"{self._plan}; {again}, or choose another `out`"
            )
        if not self._keys.exists():
            return list(batches(plan.rows, BATCH))
        lines = self._keys.read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]


def _line(keys: Sequence[Key]) -> str:
    return json.dumps(keys) + "\n"


def _is_ours(folder: Path) -> bool:
    """Whether the folder has only files of a run that was stopped before writing plan.json."""
    return all(file.name == "lock" or "plan.json" in file.name for file in folder.iterdir())
