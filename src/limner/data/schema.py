"""What dataset.json holds, typed: keys that are not known here are passed over."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from limner.data.backbones.info import BackboneInfo
from limner.errors import InputError
from limner.files import read_json

SCHEMA_VERSION = 1

AGAIN = "prepare the dataset again"

Count = Annotated[int, Meta(ge=0, le=1_000_000_000_000_000)]


class SplitInfo(msgspec.Struct, frozen=True):
    """How many images and captions a split has."""

    images: Count
    captions: Count = 0


class FileInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file's length, and its SHA-256 where it is read whole when the dataset is opened."""

    bytes: Count
    sha256: str | None = None


class SourceInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where images and captions were.

    Args:
        path: what was named to `prepare`.
        format: one of `limner.data.sources.FORMATS`.
        images: the folder of the images, or of the tar files that hold them.
        captions: the files of captions, with commas between.
    """

    path: str | None = None
    format: str | None = None
    images: str | None = None
    captions: str | None = None


class Origin(msgspec.Struct, frozen=True):
    """A source that images of a dataset came from.

    Args:
        source: as `prepare` notes it.
        pictures: how many it gave to each split: rows that follow each other.
        renamed: {name here: name there}.
    """

    source: SourceInfo
    pictures: dict[str, Count]
    renamed: dict[str, str] = {}

    @property
    def has_pictures(self) -> bool:
        """Whether it had images at all, and not features alone."""
        return self.source.format != "features"


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset, as dataset.json describes it; what is not known is None.

    Args:
        schema_version, limner_version: of what wrote it.
        splits: their counts.
        vocabulary_sha256, tokenizer: what made tokens of the captions.
        min_count, max_words: see `limner.data.tokens.TokenConfig`.
        fingerprint: tells two datasets apart.
        made_of: hashes of what it was prepared from, by what they are of.
        backbone: what its features came from.
        features: pooled, grid or both.
        views: altered views of every training image.
        source: the first of its sources.
        sources: all of them, where there are several, or images were renamed.
        skipped: {image id: why it was left out}.
        files: its files.
    """

    schema_version: int = SCHEMA_VERSION
    limner_version: str | None = None
    splits: dict[str, SplitInfo] = {}
    vocabulary_sha256: str | None = None
    tokenizer: str | None = None
    min_count: Count | None = None
    max_words: Count | None = None
    fingerprint: str | None = None
    made_of: dict[str, str] | None = None
    backbone: BackboneInfo | None = None
    features: Literal["pooled", "grid", "both"] | None = None
    views: Count = 0
    source: SourceInfo = SourceInfo()
    sources: list[Origin] | None = None
    skipped: dict[str, str] = {}
    files: dict[str, FileInfo] = {}

    def to_json(self) -> str:
        """What dataset.json holds."""
        facts: Mapping[str, Any] = msgspec.to_builtins(self)
        known = {key: value for key, value in facts.items() if value is not None}
        return json.dumps(known, ensure_ascii=False, indent=2) + "\n"


class _Version(msgspec.Struct):
    schema_version: int | None = None


def read_info(file: Path) -> DatasetInfo:
    """Read a dataset.json.

    Raises:
        InputError: if it is damaged, of another version, or makes no sense; it names the field.
    """
    version = read_json(file, AGAIN, _Version).schema_version
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{file}: schema version {version}, and this limner reads version {SCHEMA_VERSION}; "
            f"{AGAIN}"
        )
    return read_json(file, AGAIN, DatasetInfo)
