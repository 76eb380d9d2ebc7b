"""The interface of source formats: detect files, and read them as a `Source`."""

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
    """A file whose format is to be detected; it is opened once for all formats.

    Attributes:
        path: the file.
        depth: number of folders between it and the source folder.
        images: names of images beside it that have its name, apart from the extension.
    """

    path: Path
    depth: int = 0
    images: Sequence[str] = ()

    @property
    def suffix(self) -> str:
        """The extension, in lower case."""
        return self.path.suffix.lower()

    @cached_property
    def text(self) -> str:
        """The beginning and the end of the file.

        Empty for files that are detected by name only: those of single images, those deep in
        folders, and COCO's files for other tasks.

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
        """The keys in a JSON file; empty for other files."""
        is_json = self.text.startswith(("{", "["))
        return set(re.findall(r'"([A-Za-z_0-9]+)"\s*:', self.text)) if is_json else set()


class Format(ABC):
    """A format of images and captions.

    A new format is a subclass with a name, a title, `detect` and `read`, and an entry in `FORMATS`.

    Attributes:
        name: the value of `format`.
        title: a short description.
        suffixes: extensions of its files, in lower case.
        needs_images: whether it has only captions, and the images are files in a folder.
        needs_captions: whether it has no captions, and needs those of another format.
        keeps_duplicates: whether repeated captions of an image are kept, as in datasets for
            scoring.
        finds_splits: whether split files beside the captions are used.
        one_file: whether a source has one file, so that several files are alternatives.
        ignored: options of `prepare` without effect.
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
        """Whether a file has this format, if no earlier one in `FORMATS` has detected it.

        Args:
            file: the file; its text is read only if necessary.
        """

    @abstractmethod
    def read(self, path: Path, files: Sequence[Path], images: Folder) -> Source:
        """Read files of this format; the captions have the image names of the files.

        Args:
            path: the source.
            files: as `select` gives them.
            images: the folder of the images; empty if the format needs none.

        Returns:
            Captions and splits by image names, and images if the format has them.

        Raises:
            InputError: if they are damaged, or have no caption.
        """

    def select(self, files: Sequence[Path], folder: Path) -> Sequence[Path]:
        """Select the files to read; several files of captions are one per split.

        Args:
            files: all files of this format in the folder.
            folder: the folder.

        Raises:
            InputError: if the choice is ambiguous.
        """
        if self.one_file and len(files) > 1 and not (self.needs_images and by_split(files)):
            names = " or ".join(str(file.relative_to(folder)) for file in files[:4])
            how = "with `captions`" if self.needs_images else "instead of the folder"
            raise InputError(
                f"{folder}: {len(files)} files could be meant, {names}; name one {how}"
            )
        return files
