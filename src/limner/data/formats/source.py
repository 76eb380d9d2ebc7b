"""The input of `prepare` and `check`, independent of its format."""

import io
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from limner.data.formats.folder import is_utf8
from limner.data.formats.problems import Problems
from limner.data.formats.splits import split_name
from limner.errors import InputError
from limner.typing import Array, Float


@dataclass(frozen=True)
class Member:
    """An image in a tar file, which is read in place.

    Attributes:
        archive: the tar file.
        name: name of the image in it.
        offset, size: position of its bytes.
    """

    archive: Path
    name: str
    offset: int
    size: int

    def open(self) -> BinaryIO:
        """Open the image as a file with its name.

        Raises:
            OSError: if the tar file is missing.
        """
        with self.archive.open("rb") as file:
            file.seek(self.offset)
            content = io.BytesIO(file.read(self.size))
        content.name = str(self)
        return content

    def __str__(self) -> str:
        return f"{self.archive}: {self.name}"


ImageFile = Path | Member
"""The location of an image."""


@dataclass
class Source:
    """Images with captions, as read from the user's files.

    A format adds captions by image names (`add`); `join` replaces the names by image ids.

    Attributes:
        path: the source; while it is read, the file of the captions.
        format: a key of `FORMATS`, for example "karpathy".
        title: description of the source.
        captions: {image id: captions}, in the order of the source; also of missing images.
        images: {image id: where it is}, of all that were found, captioned or not. An id is the
            image's path below `root`, with slashes, where it is a file of its own.
        root: the folder of the images, or of the tar files.
        files: files of captions and splits.
        splits: {split: image ids}, if the source has any; also of missing images.
        passed_over: problems of skipped input.
        features: (N, D) or, for regions, (N, L, D), instead of images.
        feature_ids: ids of the rows of `features`.
        feature_file: the file of `features`.
        raw: whether captions are kept unchanged, including blank ones.
    """

    path: Path
    format: str = ""
    title: str = ""
    captions: dict[str, list[str]] = field(default_factory=dict)
    image_files: dict[str, ImageFile] = field(default_factory=dict)
    root: Path = Path()
    files: list[Path] = field(default_factory=list)
    splits: dict[str, list[str]] = field(default_factory=dict)
    passed_over: Problems = field(default_factory=Problems)
    features: Float[Array, "N *_ D"] | None = None
    feature_ids: tuple[str, ...] = ()
    feature_file: Path = Path()
    raw: bool = False

    @property
    def problems(self) -> list[str]:
        """Messages about skipped input."""
        return self.passed_over.lines()

    def add(self, image: str, caption: str, where: int | str = "", split: str = "") -> None:
        """Add a caption, or record why it is skipped; `where` describes its position."""
        name = image.strip()
        caption = caption if self.raw else " ".join(caption.split())
        if not name or "\n" in name or "\0" in name:
            wrong = "a line break or a NUL in the image name" if name else "no image name"
            self.pass_over(where, "rows without an image name", wrong)
        elif not caption and not self.raw:
            self.pass_over(where, "blank captions", f"a blank caption for {name}")
        elif not is_utf8(name + caption):
            self.pass_over(where, "rows with half characters", "half a character (a surrogate)")
        else:
            name = posixpath.normpath(name)  # ./a.jpg is a.jpg
            self.captions.setdefault(name, []).append(caption)
            if split.strip():
                self.splits.setdefault(split_name(split), []).append(name)

    def take_in(self, other: "Source", folder: str = "") -> list[str]:
        """Add all captions of another source, with names in a folder; returns the names."""
        names = [posixpath.normpath(posixpath.join(folder, name)) for name in other.captions]
        for name, texts in zip(names, other.captions.values(), strict=True):
            self.captions.setdefault(name, []).extend(texts)
        self.passed_over = self.passed_over.followed_by(other.passed_over)
        return names

    def pass_over(self, where: int | str, kind: str, wrong: str) -> None:
        """Record a skipped row."""
        place = f", line {where}" if isinstance(where, int) else f", {where}" if where else ""
        self.passed_over.add(f"{kind} in {self.path}", f"{self.path}{place}: {wrong}")

    def checked(self, expected: str = "") -> "Source":
        """Return the source, if it has captions.

        Raises:
            InputError: if it has none; the message has the first skipped row.
        """
        if not self.captions:
            wanted = f"; expected {expected}" if expected else ""
            why = "".join(f" ({problem})" for problem in self.problems[:1])
            raise InputError(f"{self.path}: not a single caption in it{wanted}{why}")
        return self
