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
    """An image inside a tar file, which is not unpacked for it.

    Attributes:
        archive: the tar file.
        name: of the image in it.
        offset, size: where its bytes are.
    """

    archive: Path
    name: str
    offset: int
    size: int

    def open(self) -> BinaryIO:
        """The image's bytes, as an open file of its name.

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


ImageFile = Path | Member
"""Where an image is."""


@dataclass
class Source:
    """Images with captions, as read from the user's files.

    A format adds captions by the names that it finds (`add`); `join` then puts them under the ids
    of the images.

    Attributes:
        path: what was named on the command line; while it is read, the file of the captions.
        format: one of `FORMATS`, e.g. "karpathy".
        title: what it was taken for, in words.
        captions: {image id: its captions}, in the source's order; also of images that are missing.
        images: {image id: where it is}, of all that were found, captioned or not. An id is the
            image's path below `root`, with slashes, where it is a file of its own.
        root: the folder of the images, or of the tar files.
        files: that the captions and splits came from.
        splits: {split: image ids}, if the source says; they may name images that are missing.
        passed_over: what cannot be used.
        features: (N, D) numbers in the place of images, or of every place (N, L, D); a row for each
            id of `feature_ids`.
        feature_ids: their ids.
        feature_file: the file that they are in.
        raw: whether captions are taken as they are written, blank ones among them.
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
        """What was passed over, a line each."""
        return self.passed_over.lines()

    def add(self, image: str, caption: str, where: int | str = "", split: str = "") -> None:
        """Take a caption in, or note why not; `where` it stands is a line or a place in words."""
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
        """All captions of another source, under names in a folder; returns the names."""
        names = [posixpath.normpath(posixpath.join(folder, name)) for name in other.captions]
        for name, texts in zip(names, other.captions.values(), strict=True):
            self.captions.setdefault(name, []).extend(texts)
        self.passed_over = self.passed_over.followed_by(other.passed_over)
        return names

    def pass_over(self, where: int | str, kind: str, wrong: str) -> None:
        """Note a row that is not taken in."""
        place = f", line {where}" if isinstance(where, int) else f", {where}" if where else ""
        self.passed_over.add(f"{kind} in {self.path}", f"{self.path}{place}: {wrong}")

    def checked(self, expected: str = "") -> "Source":
        """Itself, if it has captions.

        Raises:
            InputError: if it has not a single one; it says what was expected, and the first row
                that was passed over.
        """
        if not self.captions:
            wanted = f"; expected {expected}" if expected else ""
            why = "".join(f" ({problem})" for problem in self.problems[:1])
            raise InputError(f"{self.path}: not a single caption in it{wanted}{why}")
        return self
