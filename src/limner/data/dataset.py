"""A dataset on disk: captions as token ids, one row of features per image, raw references.

    dataset.json          schema version, splits and counts, backbone, sources
    vocab.json            the words and their ids
    captions.h5           {split}_captions int32 (M, T), {split}_image_idxs int32 (M,)
    {split}_features.h5   key "features", contiguous, so that it can be mapped: (N, D), or for
                          regions (N, L, D), in float32 or float16
    {split}_grid.h5       region features, if there are both kinds
    train_view1.h5, ...   the same for augmented views, if any (train_grid_view1.h5)
    features_pca.safetensors   mean and principal components, if features are projected on them
    {split}_images.txt    one image id per line
    {split}_sha256.txt    the SHA-256 of each image's bytes; blank or missing if unknown
    references.json       {split: {image id: [raw captions]}}

Shapes: N images, M captions, T words, L regions, D features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from limner.backbones.pca import Projection
from limner.data.formats import ImageFile
from limner.data.origins import Origins
from limner.data.schema import DatasetInfo
from limner.errors import InputError
from limner.randomness import Random, integers
from limner.typing import Array, Float, Int
from limner.vocabulary import Vocabulary


@dataclass(frozen=True)
class Split:
    """One part of a dataset.

    Attributes:
        captions: (M, T) token ids.
        image_idxs: (M,) index of the image of each caption.
        features: (N, D) or (N, L, D); may be a memory map.
        image_ids: N names or URLs of the images.
        views: features of augmented views of the images, each as `features`.
        sha256s: hashes of the image files, in hexadecimal; "" if unknown.
    """

    captions: Int[Array, "M T"]
    image_idxs: Int[Array, " M"]
    features: Float[Array, "N *_ D"]
    image_ids: tuple[str, ...]
    views: tuple[Float[Array, "N *_ D"], ...] = ()
    sha256s: tuple[str, ...] = ()

    def __repr__(self) -> str:
        features = f"features {self.features.shape} {self.features.dtype}"
        return f"Split({len(self.image_ids):,} images, {len(self.captions):,} captions, {features})"

    @property
    def arrays(self) -> tuple[Float[Array, "N *_ D"], ...]:
        """Features of the images, and of each of their views."""
        return (self.features, *self.views)

    @classmethod
    def from_course(cls, data: Mapping[str, Any], name: str) -> "Split":
        """The split `name` of the dict of `load_coco_data`.

        Args:
            data: the dict of `load_coco_data`.
            name: "train" or "val".
        """
        return cls(
            data[f"{name}_captions"],
            data[f"{name}_image_idxs"],
            data[f"{name}_features"],
            tuple(data.get(f"{name}_urls", ())),
        )

    def minibatch(
        self, rows: Int[Array, " B"], rng: Random | None = None
    ) -> tuple[Float[Array, "M *_ D"], Int[Array, "B T"], Int[Array, " B"]]:
        """Features, captions, and the index of the features of each caption.

        Pooled features have one row per caption, region features one row per image, since they are
        too large to be projected for every caption. Features of images with views are sampled from
        the image and its views.

        Args:
            rows: indices of captions.
            rng: for views; None is NumPy's global state.

        Returns:
            features (B, D) or (M, L, D), captions (B, T), and indices (B,) of rows of the features.
        """
        if self.features.ndim == 3:
            return self.by_image(rows, rng)
        features = self.features_of(self.image_idxs[rows], rng)
        return features, self.captions[rows], np.arange(len(rows))

    def by_image(
        self, rows: Int[Array, " B"], rng: Random | None = None
    ) -> tuple[Float[Array, "M *_ D"], Int[Array, "B T"], Int[Array, " B"]]:
        """As `minibatch`, with one row of features per image.

        Args:
            rows, rng: as for `minibatch`.

        Returns:
            features (M, D) or (M, L, D), captions (B, T), and indices (B,) of rows of the features.
        """
        images, image_idxs = np.unique(self.image_idxs[rows], return_inverse=True)
        return self.features_of(images, rng), self.captions[rows], image_idxs

    def features_of(
        self, images: Int[Array, " M"], rng: Random | None = None
    ) -> Float[Array, "M *_ D"]:
        """The features of these images or of their views; see `minibatch`.

        Args:
            images: (M,) indices of images.
            rng: for views; None is NumPy's global state.
        """
        features: Array = self.features[images]
        if self.views:
            drawn = integers(rng, 1 + len(self.views), len(images))
            for number, view in enumerate(self.views, start=1):
                chosen = np.flatnonzero(drawn == number)
                features[chosen] = view[images[chosen]]
        return features


@dataclass(frozen=True)
class Dataset:
    """An opened dataset.

    Attributes:
        path: its folder.
        vocabulary: the vocabulary.
        splits: by name, for example "train" and "dev".
        references: {split: {image id: [raw captions]}}; empty for the course's folder.
        info: the contents of dataset.json.
        others: the same splits with region features instead of pooled ones, if there are both.
    """

    path: Path
    vocabulary: Vocabulary
    splits: dict[str, Split]
    references: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    info: DatasetInfo = field(default_factory=DatasetInfo)
    others: dict[str, Split] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        splits = ", ".join(f"{n}: {len(s.image_ids):,} images" for n, s in self.splits.items())
        return f"Dataset({str(self.path)!r}, {splits}; {len(self.vocabulary):,} words)"

    @property
    def parts(self) -> dict[str, dict[str, Split]]:
        """The splits with each kind of features, by the prefix of its files."""
        return {"features": self.splits, **({"grid": self.others} if self.others else {})}

    @property
    def input_dim(self) -> int:
        """D, the size of a feature vector."""
        return int(self.splits["train"].features.shape[-1])

    @property
    def has_grid(self) -> bool:
        """Whether the dataset has region features."""
        return self.splits["train"].features.ndim == 3

    def reading(self, grid: bool) -> "Dataset":
        """The dataset with region or pooled features, if it has them.

        Args:
            grid: whether region features are wanted.

        Returns:
            The dataset with these features if it has them, otherwise itself.
        """
        if self.has_grid == grid or not self.others:
            return self
        return replace(self, splits=self.others, others=self.splits)

    @cached_property
    def projection(self) -> Projection | None:
        """The principal components that the features were projected on, if any."""
        part = "grid" if self.has_grid and self.others else "features"
        if not self.info.backbone or part not in self.info.backbone.pca:
            return None
        return Projection.load(self.path / f"{part}_pca.safetensors")

    @property
    def fingerprint(self) -> str:
        """Hash of the captions, images and backbone."""
        return self.info.fingerprint or self.vocabulary.sha256

    def split(self, name: str | None = None) -> tuple[str, Split]:
        """A split by name; None takes the validation split: `dev`, else `val`, else `test`.

        Args:
            name: of the split; None takes the validation split: `dev`, else `val`, else `test`.

        Returns:
            The name and the split.

        Raises:
            InputError: if there is no such split.
        """
        names = [name] if name else ["dev", "val", "test"]
        for candidate in names:
            if candidate in self.splits:
                return candidate, self.splits[candidate]
        raise InputError(
            f"{self.path}: no split {' or '.join(names)}; it has {', '.join(self.splits)}"
        )

    @cached_property
    def origins(self) -> Origins:
        """The sources of the images."""
        return Origins(self.info, {name: split.image_ids for name, split in self.splits.items()})

    def texts(self, split: str, row: int) -> list[str]:
        """Raw captions of an image, or decoded ones if there are no raw ones.

        Args:
            split: its name.
            row: index of the image.
        """
        part = self.splits[split]
        written = self.references.get(split, {}).get(part.image_ids[row])
        if written is not None:
            return written
        return [self.vocabulary.decode(one) for one in part.captions[part.image_idxs == row]]

    def image_file(self, image_id: str) -> ImageFile:
        """The file of an image, or its member of a tar file, as it was when the dataset was
        prepared.

        Args:
            image_id: one of the split's `image_ids`.

        Raises:
            InputError: if there are only features, or the tar file is missing.
        """
        return self.origins.find(image_id)


def check_split(
    file: Path, name: str, captions: Array, image_idxs: Array, num_images: int, num_words: int
) -> None:
    """Check that all token and image ids exist."""
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
            f"{file}: {name}_image_idxs has images from {image_idxs.min()} to "
            f"{image_idxs.max()}, but there are {num_images}; prepare the dataset again"
        )
