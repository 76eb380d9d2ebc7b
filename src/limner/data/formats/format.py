"""What a source format is: an object that detects its files and reads them as a `Source`."""

import codecs
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from limner.data.formats.encoding import read_bytes
from limner.data.formats.folder import Folder, list_folder
from limner.data.formats.refuse import refuse_file
from limner.data.formats.source import Source
from limner.data.formats.splits import by_split
from limner.errors import InputError

_CAPTION_FOLDERS = {"annotations", "captions", "labels", "text", "texts", "flickr8k_text"}
_OTHER_TASKS = ("instances_", "person_keypoints_", "stuff_", "panoptic_", "image_info_")
_ENDS = 1 << 16


@dataclass(frozen=True)
class Candidate:
    """A file that may be of a format; it is opened once, however many formats look at it.

    Attributes:
        path: the file.
        folder: the listing that it was found in; None for a file that was named itself.
        name: its path in the listing.
    """

    path: Path
    folder: Folder | None = None
    name: str = ""

    @property
    def suffix(self) -> str:
        """The ending of its name, in lower case."""
        return self.path.suffix.lower()

    @cached_property
    def text(self) -> str:
        """The first and the last of it, enough to know it by, however large it is.

        Empty where the name alone counts: deep in folders, and of COCO's files for other tasks.

        Raises:
            InputError: if it cannot be read.
        """
        if self.name.count("/") > 1 or self.path.name.startswith(_OTHER_TASKS):
            return ""
        head = read_bytes(self.path, _ENDS)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return head.decode("utf-16", errors="replace").lstrip()
        with self.path.open("rb") as file:
            file.seek(max(self.path.stat().st_size - _ENDS, 0))
            tail = file.read()
        content = head.removeprefix(codecs.BOM_UTF8) + b"\n" + tail
        return content.decode(errors="replace").lstrip()

    @cached_property
    def keys(self) -> set[str]:
        """The keys of the objects in it, where it is JSON; else none."""
        is_json = self.text.startswith(("{", "["))
        return set(re.findall(r'"([A-Za-z_0-9]+)"\s*:', self.text)) if is_json else set()


class Format(ABC):
    """A form that images and captions are in.

    A new format is a subclass with its name, title and two methods, and an entry in `FORMATS`.

    Attributes:
        name: what `--format` takes.
        title: what it is, in words.
        suffixes: endings of the names of its files, in lower case.
        needs_images: whether it is captions alone, and the images are files in a folder.
        needs_captions: whether it has no captions, and those of another format belong to it.
        one_file: whether a source has one file of it, and the files of a folder are alternatives.
        ignored: options of `prepare` that have no effect with it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    needs_images: ClassVar[bool] = False
    needs_captions: ClassVar[bool] = False
    one_file: ClassVar[bool] = False
    ignored: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def detect(self, file: Candidate) -> bool:
        """Whether a file is of this format. Those before it in `FORMATS` have said no."""

    @abstractmethod
    def read(self, request: "Request", files: Sequence[Path]) -> Source:
        """Read files of this format.

        Raises:
            InputError: if they are damaged, or have no image with a caption.
        """

    def select(self, files: Sequence[Path], folder: Path) -> Sequence[Path]:
        """Of a folder's files of this format those to read; several captions are a split each.

        Raises:
            InputError: if it is open which of several is meant.
        """
        if self.one_file and len(files) > 1 and not (self.needs_images and by_split(files)):
            names = " or ".join(str(file.relative_to(folder)) for file in files[:4])
            how = "by --captions" if self.needs_images else "in the place of the folder"
            raise InputError(
                f"{folder}: {len(files)} files could be meant, {names}; name one {how}"
            )
        return files


@dataclass(frozen=True)
class Request:
    """What is to be read, as it was named.

    Attributes:
        path: a folder, a file, or a pattern of files.
        captions: the file of captions, if it was named.
        images: the folder of images, if it was named.
        split_files: {split: file with an image a line}.
        formats: all that are known, in the order in which they are asked; the last is taken where
            none detects a file.
    """

    path: Path
    captions: Path | None
    images: Path | None
    split_files: Mapping[str, Path]
    formats: Sequence[Format]

    @cached_property
    def folder(self) -> Folder:
        """What is in `path`."""
        return list_folder(self.path)

    @cached_property
    def image_folder(self) -> Folder:
        """The folder of the images: as named, or found in `path`, or near the file `path`."""
        if self.images:
            return list_folder(self.images)
        if self.path.is_dir():
            return self.folder if self.captions else self.folder.below()
        here = self.path.parent if self.path.parent.name else self.path.parent.absolute()
        folder = list_folder(here)
        if not folder.pictures and here.name.lower() in _CAPTION_FOLDERS:
            folder = list_folder(here.parent)
        return folder.below()

    def format_of(self, file: Path) -> Format:
        """The format of a file.

        Raises:
            InputError: if it cannot be read, or is something that is refused.
        """
        refuse_file(file)
        candidate = Candidate(file)
        found = (format for format in self.formats if format.detect(candidate))
        return next(found, self.formats[-1])

    def formats_in(self, folder: Folder, has_images: bool) -> dict[Format, list[Path]]:
        """The formats in a folder with their files, the likeliest first."""
        found: dict[Format, list[Path]] = {format: [] for format in self.formats}
        for name, path in folder.others.items():
            candidate = Candidate(path, folder, name)
            possible = [one for one in self.formats if candidate.suffix in one.suffixes]
            with suppress(InputError):  # what cannot be read is told if it is all there is
                for format in next(([one] for one in possible if one.detect(candidate)), []):
                    found[format].append(path)
        likeliest = sorted(self.formats, key=lambda format: format.needs_images != has_images)
        return {format: found[format] for format in likeliest if found[format]}
