"""The contents of dataset.json, typed; unknown keys are ignored."""

import json
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from limner.backbones.info import BackboneInfo
from limner.errors import InputError
from limner.io import read_typed

SCHEMA_VERSION = 1
AGAIN = "prepare the dataset again"

Count = Annotated[int, Meta(ge=0, le=1_000_000_000_000_000)]


class SplitInfo(msgspec.Struct, frozen=True):
    """Number of images and captions of a split."""

    images: Count
    captions: Count = 0


class FileInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Length of a file, and its SHA-256 unless it is memory-mapped."""

    bytes: Count
    sha256: str | None = None


class SourceInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The source of images and captions: the path given to `prepare`, its format, and details."""

    path: str | None = None
    format: str | None = None
    images: str | None = None  # the folder of the images, or of the tar files that hold them
    captions: str | None = None  # comma-separated files


class Origin(msgspec.Struct, frozen=True):
    """One of several sources of a dataset."""

    source: SourceInfo
    # {split: number of its images}, which are consecutive rows
    image_counts: dict[str, Count] = msgspec.field(name="pictures")
    renamed: dict[str, str] = {}  # {name here: name there}


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of dataset.json; None is unknown."""

    schema_version: int = SCHEMA_VERSION
    limner_version: str | None = None
    splits: dict[str, SplitInfo] = {}
    vocabulary_sha256: str | None = None
    tokenizer: str | None = None
    min_count: Count | None = None
    max_words: Count | None = None
    fingerprint: str | None = None  # hash of the dataset
    made_of: dict[str, str] | None = None  # hashes of its inputs and options
    backbone: BackboneInfo | None = None
    features: Literal["pooled", "grid", "both"] | None = None
    views: Count = 0
    source: SourceInfo = SourceInfo()
    sources: list[Origin] | None = None  # if there are several, or renamed images
    skipped: dict[str, str] = {}  # {image id: reason}
    files: dict[str, FileInfo] = {}

    def to_json(self) -> str:
        """The contents of dataset.json."""
        known = {key: one for key, one in msgspec.to_builtins(self).items() if one is not None}
        return json.dumps(known, ensure_ascii=False, indent=2) + "\n"


class _Version(msgspec.Struct):
    schema_version: int | None = None


def read_info(file: Path) -> DatasetInfo:
    """Read a dataset.json.

    Raises:
        InputError: if it is damaged, invalid, or of another version.
    """
    version = read_typed(file, AGAIN, _Version).schema_version
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{file}: schema version {version}, and this limner reads version {SCHEMA_VERSION}; "
            f"{AGAIN}"
        )
    return read_typed(file, AGAIN, DatasetInfo)
