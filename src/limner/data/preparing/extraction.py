"""Features that are kept while they are made, so that a preparation killed at any moment goes on.

    FOLDER/plan.json       which backbone, and of which picture each row is, by content
    FOLDER/features.f32    rows of fixed size, in that order (.f16 for float16)

The file of rows only grows, by a batch at a time; what a crash leaves is cut to whole batches. A
row belongs to a picture's bytes, not to its name: when captions, splits or some pictures change
between two runs, the rows of all others stand.

    N: rows    D: length of a feature vector
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from limner.backbones.backbone import Backbone
from limner.backbones.features import BATCH, extract
from limner.backbones.info import BackboneInfo
from limner.data.formats import Picture
from limner.data.preparing.look import open_picture, sha256_of_picture
from limner.errors import InputError
from limner.images.limits import USUAL_LIMITS, ImageLimits
from limner.images.views import view_of
from limner.io import cannot_write, read_typed, write_atomically
from limner.typing import Array, Float


@dataclass(frozen=True)
class View:
    """A picture as it is (0), or altered; see `limner.images.views`."""

    picture: Picture
    number: int = 0


Key = str
"""What a row is known by: `key_of` a picture's content and view."""


def key_of(sha256: str, view: int, name: str) -> Key:
    """A crop depends on the picture's name, too; see `view_of`."""
    return f"{sha256}:{view}:{name}" if view > 1 else f"{sha256}:{view}"


class Plan(msgspec.Struct, frozen=True):
    """What plan.json holds: what features come from, and of which picture each row is."""

    backbone: BackboneInfo
    dtype: str
    rows: list[Key] = []

    def __str__(self) -> str:
        return f"{self.backbone.title} in {self.dtype}"


class Extraction:
    """Features of many pictures, a row each, in a folder.

    Args:
        folder: made if missing; may hold rows of an earlier run.
        backbone: what the features come from.
        dtype: of the numbers that are kept.
        report: takes a line for the user.
        limits: pictures beyond them cannot be read.

    Raises:
        InputError: if the folder holds something else, or rows of another backbone or dtype.
    """

    def __init__(
        self,
        folder: Path,
        backbone: Backbone,
        dtype: np.dtype[Any],
        report: Callable[[str], None],
        limits: ImageLimits = USUAL_LIMITS,
    ) -> None:
        self._folder = folder
        self._backbone = backbone
        self._report = report
        self._limits = limits
        self._dtype = dtype
        self._file = folder / f"features.f{8 * self._dtype.itemsize}"
        self._row_bytes = math.prod(backbone.shape) * self._dtype.itemsize
        self._about = Plan(backbone.describe(), self._dtype.name)
        self._plan: list[Key] = self._read_plan()
        rows = self._file.stat().st_size // self._row_bytes if self._file.exists() else 0
        self.done = min(rows, len(self._plan))
        if self.done < len(self._plan):
            self.done -= self.done % BATCH

    def run(
        self, wanted: Mapping[Key, View], progress: Callable[[int, int], None]
    ) -> dict[Key, str]:
        """Make the rows that are missing.

        Returns:
            What was wrong with the pictures that could be read when they were looked at, and now
            cannot.
        """
        known = self.rows_of(wanted)
        missing = [key for key in wanted if key not in known]
        if missing and self.done:
            self._report(f"going on after {len(known)} of {len(wanted)} pictures")
        try:
            if missing:
                self._cut()  # before the plan says of which pictures the next rows are
                self._plan = self._plan[: self.done] + missing
                self._write_plan()
            return self._append(wanted, len(known), progress)
        except OSError as error:
            raise cannot_write(self._file, error) from None

    def rows_of(self, wanted: Iterable[Key]) -> dict[Key, int]:
        """The row of each of these that is there and whole."""
        if not self.done:
            return {}
        first = self.rows()[:, 0]
        place = {self._plan[row]: row for row in np.flatnonzero(~np.isnan(first)).tolist()}
        return {key: place[key] for key in wanted if key in place}

    def rows(self) -> Float[Array, "N D"]:
        """All rows so far, each flat, mapped from the file."""
        shape = (self.done, math.prod(self._backbone.shape))
        return np.memmap(self._file, self._dtype, "r", shape=shape)

    def _append(
        self, wanted: Mapping[Key, View], known: int, progress: Callable[[int, int], None]
    ) -> dict[Key, str]:
        failed = {}
        todo = [(key, wanted[key]) for key in self._plan[self.done :]]
        found = extract(self._backbone, todo, batch_size=BATCH, load=self._load)
        with self._file.open("ab") as file:
            while batch := list(islice(found, BATCH)):
                block = np.full((len(batch), *self._backbone.shape), np.nan, self._dtype)
                for row, ((key, view), features) in enumerate(batch):
                    if isinstance(features, InputError):
                        failed[key] = str(features)
                    elif not np.isfinite(kept := self._narrowed(features)).all():
                        failed[key] = (
                            f"{view.picture}: {self._backbone.name} gives numbers for it that "
                            f"{self._dtype.name} does not hold; take --dtype float32, or another "
                            "backbone"
                        )
                    else:
                        block[row] = kept
                file.write(block.data)
                file.flush()
                self.done += len(batch)
                known += len(batch)
                progress(known, len(wanted))
        return failed

    def _narrowed(self, features: Float[Array, "*_ D"]) -> Float[Array, "*_ D"]:
        with np.errstate(over="ignore"):
            return features.astype(self._dtype)

    def _load(self, item: tuple[Key, View], /, *, size_hint: int) -> Image.Image:
        key, view = item
        image = open_picture(view.picture, size_hint=size_hint, limits=self._limits)
        if sha256_of_picture(view.picture) != key.split(":")[0]:
            raise InputError(
                f"{view.picture}: changed since it was looked at; run the same command again"
            )
        return view_of(image, view.number, view.picture.name)

    def _cut(self) -> None:
        """To the rows that are whole and in whole batches."""
        if self._file.exists():
            with self._file.open("rb+") as file:
                file.truncate(self.done * self._row_bytes)

    def _write_plan(self) -> None:
        plan = msgspec.to_builtins(msgspec.structs.replace(self._about, rows=self._plan))
        write_atomically(self._folder / "plan.json", json.dumps(plan, ensure_ascii=False))

    def _read_plan(self) -> list[Key]:
        """Of which pictures the rows are; raises where they are not this extraction's."""
        file = self._folder / "plan.json"
        if not file.exists():
            if self._folder.exists() and not _is_ours(self._folder):
                raise InputError(
                    f"{self._folder}: holds files that are not limner's, or of an older limner; "
                    "delete that folder, or choose another --out"
                )
            return []
        plan = read_typed(file, f"delete {self._folder} to begin again", Plan)
        if msgspec.structs.replace(plan, rows=[]) != self._about:
            raise InputError(
                f"{self._folder}: half of a preparation with {plan}, and this one is with "
                f"{self._about}; delete that folder to begin again, or choose another --out"
            )
        return plan.rows


def _is_ours(folder: Path) -> bool:
    """Whether nothing is in it but what a run leaves that was stopped before its plan stood."""
    return all(file.name == "lock" or "plan.json" in file.name for file in folder.iterdir())
