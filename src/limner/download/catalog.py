"""The catalog of downloads: the TOML file of the package, and that of the user."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from limner.io import read_typed

BUNDLED = Path(__file__).parents[1] / "bundled" / "downloads.toml"

_PLAIN_NAME = re.compile(r"\w[\w.+ -]*")  # of one file or folder, without slashes


def _hexadecimal(digits: int) -> msgspec.Meta:
    return msgspec.Meta(pattern=f"^[0-9a-f]{{{digits}}}$")


class RemoteFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file to download, its checksum, and how to unpack it.

    Args:
        url: http or https; its last part is the file name.
        bytes: size of the file, if known.
        sha256: checksum of the file, if known.
        md5: checksum if no sha256 is published; it detects damage, but not forgery.
        unpack: "zip", "tar" (compressed or not), or "no" for a file that is not unpacked.
        keep: top-level names of the archive to unpack into the dataset's folder; others are
            ignored.

    Example:
        >>> RemoteFile(url="https://example.org/cats.zip", unpack="zip", keep=("cats",)).name
        'cats.zip'
    """

    url: str
    bytes: Annotated[int, msgspec.Meta(ge=1, le=10**15)] | None = None
    sha256: Annotated[str, _hexadecimal(64)] | None = None
    md5: Annotated[str, _hexadecimal(32)] | None = None
    unpack: Literal["zip", "tar", "no"] = "no"
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[!-~]+", self.url) or not urlsplit(self.url).hostname:
            raise ValueError(f"{self.url}: only http and https addresses are fetched")
        for name in (self.name, *self.keep):
            if not _PLAIN_NAME.fullmatch(name):
                raise ValueError(f"{name!r} of {self.url} is no plain name of a file")
        if (self.unpack == "no") == bool(self.keep):
            raise ValueError(f"{self.url}: keep says what is kept of an archive")

    @property
    def name(self) -> str:
        """The file name on disk."""
        return urlsplit(self.url).path.rpartition("/")[2]

    @property
    def checksum(self) -> tuple[str, str] | None:
        """Kind and digits of the best known checksum."""
        kinds = (("sha256", self.sha256), ("md5", self.md5))
        return next(((kind, digits) for kind, digits in kinds if digits), None)

    def is_in(self, folder: Path) -> bool:
        """Whether all contents of this file are in a dataset's folder."""
        return all((folder / name).exists() for name in self.keep or (self.name,))


class Download(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dataset to download.

    Args:
        title, licence, citation: printed before anything is downloaded.
        files: downloaded in order.
        next: the next command to run; ``{folder}`` is the dataset's folder.
    """

    title: str
    licence: str
    citation: str
    files: Annotated[tuple[RemoteFile, ...], msgspec.Meta(min_length=1)]
    next: str = "limner prepare {folder} --out dataset"

    def __post_init__(self) -> None:
        names = [name for file in self.files for name in (file.name, *file.keep)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} comes from two files")


def read_catalog(path: Path | None = None) -> dict[str, Download]:
    """The downloads of the package, overridden by those of the user's file.

    Args:
        path: TOML file of the user; None for none.

    Returns:
        {name: download}.

    Raises:
        InputError: if the file is missing or not TOML, or a key is unknown, missing or invalid.

    Example:
        >>> sorted(read_catalog())
        ['coco-captioning', 'coco2014', 'flickr30k', 'flickr8k']
    """
    remedy = "correct the file, docs/download.md has its keys"
    catalogs = [read_typed(one, remedy, dict[str, Download]) for one in (BUNDLED, path) if one]
    return {name: entry for catalog in catalogs for name, entry in catalog.items()}
