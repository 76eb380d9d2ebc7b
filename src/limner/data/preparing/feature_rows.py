"""Where a dataset's features come from: a backbone that looks at pictures, or a file with them.

L: places    D: length of a feature vector
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from limner.backbones.backbone import Backbone
from limner.backbones.info import BackboneInfo
from limner.data.preparing.check import Findings, Progress
from limner.data.preparing.config import CheckConfig
from limner.data.preparing.cost import Cost, cost_of
from limner.data.preparing.extraction import Extraction, Key, View, key_of
from limner.data.writing import Features, Rows
from limner.errors import InputError
from limner.io import sha256_of
from limner.typing import Array, Int

Report = Callable[[str], None]


class FeatureRows(Protocol):
    """Features of a source's pictures.

    Attributes:
        info: of the backbone.
    """

    info: BackboneInfo

    def make(self, folder: Path, report: Report, progress: Progress) -> dict[str, str]:
        """Do the work, into a folder of its own.

        Returns:
            {image id: why its picture cannot be read any more}.
        """

    def rows(self, splits: Mapping[str, Sequence[str]]) -> Features:
        """The features of these pictures."""


class FromPictures:
    """Features that a backbone gives of pictures; see `FeatureRows`."""

    def __init__(self, config: CheckConfig, findings: Findings, backbone: Backbone) -> None:
        self._config = config
        self._findings = findings
        self._backbone = backbone
        self.info = backbone.describe()

    def make(self, folder: Path, report: Report, progress: Progress) -> dict[str, str]:
        """Extract what is missing; a picture that fails in any view is lost."""
        wanted = self._wanted
        self._extraction = Extraction(
            folder, self._backbone, self._config.numbers, report, self._config.limits
        )
        missing = len(wanted) - len(self._extraction.rows_of(wanted))
        if missing:
            cost = self.cost(missing)
            report(f"extracting features: {cost}")
            cost.check_room(folder)
        failed = self._extraction.run(wanted, lambda *n: progress("extracting features", *n))
        lost = {}
        for image, view in self._images_and_views():
            if self._key(image, view) in failed:
                lost[image] = failed[self._key(image, view)]
        for reason in lost.values():
            report(f"{reason} (left out)")
        return lost

    def cost(self, missing: int | None = None) -> Cost:
        """What the work takes, or what so many missing pictures of it take."""
        return cost_of(self._config, self._findings, self._backbone, len(self._wanted), missing)

    def rows(self, splits: Mapping[str, Sequence[str]]) -> Features:
        """Parts of the extraction's rows."""
        place, rows = self._extraction.rows_of(self._wanted), self._extraction.rows()
        features: Features = {}
        start = 0
        for part, shape in self._backbone.shapes.items():
            name = part if self._config.features == "both" else "features"
            features[name] = {
                split: [
                    [Rows(rows, self._places(place, images, view), shape, start)]
                    for view in self._views(split)
                ]
                for split, images in splits.items()
            }
            start += math.prod(shape)
        return features

    def _views(self, split: str) -> range:
        return range(1 + (self._config.views if split == "train" else 0))

    def _images_and_views(self) -> list[tuple[str, int]]:
        """All pictures as they are, and then the training pictures in every view."""
        splits = self._findings.splits
        return [
            (image, view)
            for view in range(1 + self._config.views)
            for split, images in splits.items()
            if view in self._views(split)
            for image in images
        ]

    @cached_property
    def _wanted(self) -> dict[Key, View]:
        pictures = self._findings.source.pictures
        return {
            self._key(image, view): View(pictures[image], view)
            for image, view in self._images_and_views()
        }

    def _key(self, image: str, view: int) -> Key:
        name = self._findings.source.pictures[image].name
        return key_of(self._findings.seen[image].sha256, view, name)

    def _places(
        self, place: Mapping[Key, int], images: Sequence[str], view: int
    ) -> Int[Array, " M"]:
        return np.array([place[self._key(image, view)] for image in images], dtype=np.int64)


class FromFile:
    """Features that somebody has made before; see `FeatureRows`.

    Raises:
        InputError: if they are not those that are asked for.
    """

    def __init__(self, config: CheckConfig, findings: Findings, backbone: Backbone | None) -> None:
        source = findings.source
        features, file = source.features, source.feature_file
        assert features is not None
        self._features = features
        self._place = {image: row for row, image in enumerate(source.feature_ids)}
        shape = features.shape[1:]
        kind = "pooled" if len(shape) == 1 else "grid"
        if config.features != kind:
            raise InputError(
                f"{file}: has {' x '.join(map(str, shape))} numbers a picture; say --features "
                f"{kind}"
            )
        idle = [f"--{name}" for name in ("views", "size", "max_pixels") if getattr(config, name)]
        if idle:
            raise InputError(
                f"{file}: has features, and no pictures to make others of; leave "
                f"{' and '.join(idle).replace('_', '-')} out"
            )
        digest = sha256_of(file)
        self.info = BackboneInfo(name=file.name, sha256=digest, dim=shape[-1])
        if backbone:
            self.info = msgspec.structs.replace(backbone.describe(), features_sha256=digest)
            if backbone.dim != shape[-1]:
                raise InputError(
                    f"{file}: has {shape[-1]} numbers a picture, and {backbone.name} "
                    f"gives {backbone.dim}; name the backbone they were made with"
                )

    def make(self, folder: Path, report: Report, progress: Progress) -> dict[str, str]:
        """Nothing: they are there."""
        return {}

    def rows(self, splits: Mapping[str, Sequence[str]]) -> Features:
        """Rows of the file."""
        shape = self._features.shape[1:]
        return {
            "features": {
                split: [[Rows(self._features, np.array([self._place[i] for i in images]), shape)]]
                for split, images in splits.items()
            }
        }
