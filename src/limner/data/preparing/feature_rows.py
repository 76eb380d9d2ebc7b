"""The sources of features: a backbone that runs on images, or a file.

L: regions    D: length of a feature vector
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from limner.backbones.backbone import Backbone
from limner.backbones.info import BackboneInfo
from limner.data.feature_store import FeatureStore, key_of
from limner.data.formats import Source
from limner.data.opening import open_dataset
from limner.data.preparing.config import CheckConfig, PrepareConfig
from limner.data.preparing.cost import Cost, cost_of
from limner.data.preparing.extraction import Extraction, Wanted
from limner.data.preparing.scan import Progress, Seen
from limner.data.writing import Features, Rows
from limner.errors import InputError
from limner.io import sha256_of

Report = Callable[[str], None]
Splits = Mapping[str, Sequence[str]]
"""{split: image ids}"""


class FeatureRows(ABC):
    """Interface: features of images.

    Attributes:
        info: metadata of the backbone.
    """

    info: BackboneInfo

    def make(
        self, splits: Splits, folder: Path, report: Report, progress: Progress
    ) -> dict[str, Seen]:
        """Compute the features of these images into a folder; returns their scan results."""
        return {}

    def unusable(self, splits: Splits) -> dict[str, str]:
        """{image id: why a readable image has no features}."""
        return {}

    @abstractmethod
    def rows(self, splits: Splits) -> Features:
        """The features of these images."""


class FromImages(FeatureRows):
    """Features of images by a backbone; see `FeatureRows`."""

    def __init__(self, config: CheckConfig, source: Source, backbone: Backbone) -> None:
        self._config = config
        self._source = source
        self._backbone = backbone
        self._seen: dict[str, Seen] = {}
        self.info = backbone.describe()

    def make(
        self, splits: Splits, folder: Path, report: Report, progress: Progress
    ) -> dict[str, Seen]:
        """Extract the features that are missing in the folder and earlier datasets."""
        config = self._config
        self._store = store = FeatureStore(folder, self._backbone, config.numbers)
        if store:
            report(f"going on: {len(store):,} rows of features are there")
        for path in config.reuse if isinstance(config, PrepareConfig) else ():
            store.add(open_dataset(path))
        self.cost(splits, len(store)).check_room(folder)
        extraction = Extraction(
            self._backbone,
            store,
            report,
            lambda *count: progress("extracting features", *count),
            config.limits,
        )
        wanted: dict[str, Wanted] = {}
        for split, images in splits.items():  # train comes first, and has the most views
            for image in images:
                wanted.setdefault(
                    image, Wanted(self._source.image_files[image], self._views(split))
                )
        self._seen = extraction.run(wanted)
        return self._seen

    def cost(self, splits: Splits, known: int = 0) -> Cost:
        """The disk space, given the number of known rows."""
        rows = sum(self._views(split) * len(images) for split, images in splits.items())
        return cost_of(self._config, self._backbone, rows, known)

    def unusable(self, splits: Splits) -> dict[str, str]:
        """Images with features beyond the range of the dtype."""
        return {
            image: f"{self._source.image_files[image]}: {self.info.name} gives numbers for it that "
            f"{self._config.numbers.name} does not hold; use `dtype` float32, or another backbone"
            for split, images in splits.items()
            for image in images
            if any(self._store.unusable(key) for key in self._keys(split, image))
        }

    def rows(self, splits: Splits) -> Features:
        """Rows of the store."""
        features: Features = {}
        for split, images in splits.items():
            keys = [self._keys(split, image) for image in images]
            for view in range(self._views(split)):
                for part, pieces in self._store.pieces(one[view] for one in keys).items():
                    name = part if self._config.features == "both" else "features"
                    features.setdefault(name, {}).setdefault(split, []).append(pieces)
        return features

    def _views(self, split: str) -> int:
        """Number of views of an image, including itself."""
        return 1 + (self._config.views if split == "train" else 0)

    def _keys(self, split: str, image: str) -> list[str]:
        """The keys of its views."""
        sha256, name = self._seen[image].sha256, self._source.image_files[image].name
        return [key_of(sha256, view, name) for view in range(self._views(split))]


class FromFile(FeatureRows):
    """Precomputed features; see `FeatureRows`.

    Raises:
        InputError: if they do not match the options.
    """

    def __init__(self, config: CheckConfig, source: Source, backbone: Backbone | None) -> None:
        features, file = source.features, source.feature_file
        assert features is not None
        self._features = features
        self._place = {image: row for row, image in enumerate(source.feature_ids)}
        shape = features.shape[1:]
        kind = "pooled" if len(shape) == 1 else "grid"
        if config.features != kind:
            raise InputError(
                f"{file}: has {' x '.join(map(str, shape))} numbers an image; use `features` {kind}"
            )
        for_images = ("views", "size", "max_pixels", "reuse")
        idle = [f"`{name}`" for name in for_images if getattr(config, name, None)]
        if idle:
            raise InputError(
                f"{file}: has features, and no images to make others of; leave "
                f"{' and '.join(idle)} out"
            )
        digest = sha256_of(file)
        self.info = BackboneInfo(name=file.name, sha256=digest, dim=shape[-1])
        if backbone:
            self.info = msgspec.structs.replace(backbone.describe(), features_sha256=digest)
            if backbone.dim != shape[-1]:
                raise InputError(
                    f"{file}: has {shape[-1]} numbers an image, and {backbone.name} "
                    f"gives {backbone.dim}; name the backbone they were made with"
                )

    def rows(self, splits: Splits) -> Features:
        """Rows of the file."""
        shape = self._features.shape[1:]
        return {
            "features": {
                split: [[Rows(self._features, np.array([self._place[i] for i in images]), shape)]]
                for split, images in splits.items()
            }
        }
