"""What `prepare` and `check` know of what somebody has, whatever form it came in."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from limner.typing import Array, Float


@dataclass(frozen=True)
class Member:
    """A picture inside a tar file, which is not unpacked for it.

    Attributes:
        archive: the tar file.
        name: of the picture in it.
        offset, size: where its bytes are.
    """

    archive: Path
    name: str
    offset: int
    size: int

    def open(self) -> BinaryIO:
        """The picture's bytes, as an open file of its name.

        Raises:
            OSError: if the tar file is gone.
        """
        with self.archive.open("rb") as file:
            file.seek(self.offset)
            content = io.BytesIO(file.read(self.size))
        content.name = str(self)
        return content

    def __str__(self) -> str:
        return f"{self.archive}: {self.name}"


Picture = Path | Member
"""Where a picture is."""


@dataclass
class Source:
    """Pictures with captions, as somebody has them.

    Attributes:
        path: what was named on the command line.
        format: one of `FORMATS`, e.g. "karpathy".
        title: what it was taken for, in words.
        captions: {picture id: its captions}, in the source's order; also of pictures that are
            missing.
        pictures: {picture id: where it is}, of all that were found, captioned or not. An id is the
            picture's path below `root`, with slashes, where it is a file of its own.
        root: the folder of the pictures, or of the tar files.
        files: that the captions and splits came from.
        splits: {split: picture ids}, if the source says; they may name pictures that are missing.
        problems: rows that were passed over, a message each.
        features: (N, D) numbers in the place of pictures, or of every place (N, L, D); a row for
            each id of `feature_ids`.
        feature_ids: their ids.
        feature_file: the file that they are in.
    """

    path: Path
    format: str
    title: str
    captions: dict[str, list[str]] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)
    root: Path = Path()
    files: list[Path] = field(default_factory=list)
    splits: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    features: Float[Array, "N *_ D"] | None = None
    feature_ids: tuple[str, ...] = ()
    feature_file: Path = Path()
