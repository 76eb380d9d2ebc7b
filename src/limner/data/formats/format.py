"""What a source format is: an object that detects its files and reads them as a `Source`."""

import codecs
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from limner.data.formats.encoding import read_bytes
from limner.data.formats.folder import Folder
from limner.data.formats.source import Source
from limner.data.formats.splits import by_split
from limner.errors import InputError

_OTHER_TASKS = ("instances_", "person_keypoints_", "stuff_", "panoptic_", "image_info_")
_ENDS = 1 << 16


@dataclass(frozen=True)
class Candidate:
    """A file that may be of a format; it is opened once, however many formats look at it.

    Attributes:
        path: the file.
        depth: how many folders are between it and the folder that was named.
        images: the names of images that it is beside, which have its name but for the ending.
    """

    path: Path
    depth: int = 0
    images: Sequence[str] = ()

    @property
    def suffix(self) -> str:
        """The ending of its name, in lower case."""
        return self.path.suffix.lower()

    @cached_property
    def text(self) -> str:
        """The first and the last of it, enough to know it by, however large it is.

        Empty where the name alone counts: beside images, deep in folders, and of COCO's files for
        other tasks.

        Raises:
            InputError: if it cannot be read.
        """
        if self.images or self.depth > 1 or self.path.name.startswith(_OTHER_TASKS):
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
        keeps_duplicates: whether a caption that an image has twice counts twice, as in datasets
            that are scored on all the captions that they have.
        finds_splits: whether files beside the captions are looked for that have their splits.
        one_file: whether a source has one file of it, and the files of a folder are alternatives.
        ignored: options of `prepare` that have no effect with it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    needs_images: ClassVar[bool] = False
    needs_captions: ClassVar[bool] = False
    keeps_duplicates: ClassVar[bool] = False
    finds_splits: ClassVar[bool] = False
    one_file: ClassVar[bool] = False
    ignored: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def detect(self, file: Candidate) -> bool:
        """Whether a file is of this format; those before it in `FORMATS` have not detected it."""

    @abstractmethod
    def read(self, path: Path, files: Sequence[Path], images: Folder) -> Source:
        """Read files of this format: captions by the names that they have there.

        Args:
            path: what was named on the command line.
            files: as `select` gives them.
            images: the folder of the images; empty where the format needs none.

        Raises:
            InputError: if they are damaged, or have no caption.
        """

    def select(self, files: Sequence[Path], folder: Path) -> Sequence[Path]:
        """Of a folder's files of this format those to read; several captions are a split each.

        Raises:
            InputError: if it is open which of several is meant.
        """
        if self.one_file and len(files) > 1 and not (self.needs_images and by_split(files)):
            names = " or ".join(str(file.relative_to(folder)) for file in files[:4])
            how = "with `captions`" if self.needs_images else "instead of the folder"
            raise InputError(
                f"{folder}: {len(files)} files could be meant, {names}; name one {how}"
            )
        return files
