"""Backbone facts stored in datasets, checkpoints and unfinished preparations."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from limner.backbones.pca import ComponentsInfo
from limner.backbones.preprocessing import SINCE, Preprocessing
from limner.config import annotations

Length = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class BackboneInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The backbone of some features; unknown values are None.

    A preprocessing that `Preprocessing` would refuse is a ValueError.

    >>> BackboneInfo(name="net", sha256="0123456789abcdef", preprocessing={"size": 64}).title
    'net (0123456789ab, images of 64 x 64)'
    """

    name: str  # of the network, or of a file of features
    sha256: str
    preprocessing: dict[str, Any] | None = None  # as `preprocessing_facts` gives it
    dim: Length | None = None  # of an image's vector, or of a region's where only these are kept
    places: Length | None = None
    grid_dim: Length | None = None  # where both are kept
    features_sha256: str | None = None  # of the file, if precomputed
    pca: dict[str, ComponentsInfo] = {}  # of each part, what it was projected on

    def __post_init__(self) -> None:
        known = annotations(Preprocessing)
        for key in known.keys() & (self.preprocessing or {}).keys():
            try:
                msgspec.convert(self.preprocessing[key], known[key])  # type: ignore[index]
            except msgspec.ValidationError as error:
                raise ValueError(f"preprocessing.{key}: {error}") from None

    @property
    def size(self) -> int | None:
        """The side of the network's input in pixels."""
        return (self.preprocessing or {}).get("size")

    @property
    def title(self) -> str:
        """Description of the backbone."""
        images = f", images of {self.size} x {self.size}" if self.size else ""
        return f"{self.name} ({self.sha256[:12]}{images})"


def title_of(info: BackboneInfo | None) -> str:
    """Description of the backbone, if known."""
    return info.title if info else "an unknown backbone"


def same_backbone(one: BackboneInfo | None, other: BackboneInfo | None) -> bool:
    """Whether two backbones give the same features: equal network and preprocessing.

    Unknown values count as equal.
    """
    if one is None or other is None:
        return True
    return one.sha256 == other.sha256 and not preprocessing_differences(one, other)


def preprocessing_differences(one: BackboneInfo, other: BackboneInfo) -> list[str]:
    """The keys in which the preprocessing of two backbones differs, if known of both.

    >>> large, small = (
    ...     BackboneInfo(name="net", sha256="0", preprocessing={"size": size}) for size in (96, 64)
    ... )
    >>> preprocessing_differences(large, small)
    ['size']
    """
    if not one.preprocessing or not other.preprocessing:
        return []
    ours, theirs = {**SINCE, **one.preprocessing}, {**SINCE, **other.preprocessing}
    return sorted(key for key in ours.keys() & theirs.keys() if ours[key] != theirs[key])


def same_features(one: BackboneInfo | None, other: BackboneInfo | None) -> bool:
    """Whether features agree in backbone and principal components."""
    components = [info.pca if info else {} for info in (one, other)]
    return same_backbone(one, other) and components[0] == components[1]
