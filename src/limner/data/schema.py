"""What dataset.json holds, typed: keys that are not known here are passed over."""

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
    """How many images and captions a split has."""

    images: Count
    captions: Count = 0


class FileInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file's length, and its SHA-256 where it is read whole when the dataset is opened."""

    bytes: Count
    sha256: str | None = None


class SourceInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where images and captions were: what was named to `prepare`, its format, and in detail."""

    path: str | None = None
    format: str | None = None
    images: str | None = None  # the folder of the images, or of the tar files that hold them
    captions: str | None = None  # files, with commas between


class Origin(msgspec.Struct, frozen=True):
    """A source that images of a dataset came from, of several."""

    source: SourceInfo
    # {split: how many images it gave to it}: rows that follow each other
    image_counts: dict[str, Count] = msgspec.field(name="pictures")
    renamed: dict[str, str] = {}  # {name here: name there}


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset, as dataset.json describes it; what is not known is None."""

    schema_version: int = SCHEMA_VERSION
    limner_version: str | None = None
    splits: dict[str, SplitInfo] = {}
    vocabulary_sha256: str | None = None
    tokenizer: str | None = None
    min_count: Count | None = None
    max_words: Count | None = None
    fingerprint: str | None = None  # hash of the dataset
    made_of: dict[str, str] | None = None  # hashes of what it was prepared from, by their names
    backbone: BackboneInfo | None = None
    features: Literal["pooled", "grid", "both"] | None = None
    views: Count = 0
    source: SourceInfo = SourceInfo()
    sources: list[Origin] | None = None  # where there are several, or images were renamed
    skipped: dict[str, str] = {}  # {image id: why it was left out}
    files: dict[str, FileInfo] = {}

    def to_json(self) -> str:
        """What dataset.json holds."""
        known = {key: one for key, one in msgspec.to_builtins(self).items() if one is not None}
        return json.dumps(known, ensure_ascii=False, indent=2) + "\n"


class _Version(msgspec.Struct):
    schema_version: int | None = None


def read_info(file: Path) -> DatasetInfo:
    """Read a dataset.json.

    Raises:
        InputError: if it is damaged, of another version, or makes no sense; it names the field.
    """
    version = read_typed(file, AGAIN, _Version).schema_version
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{file}: schema version {version}, and this limner reads version {SCHEMA_VERSION}; "
            f"{AGAIN}"
        )
    return read_typed(file, AGAIN, DatasetInfo)
