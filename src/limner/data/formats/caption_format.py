"""Formats with captions in separate files, and images in a folder."""

import posixpath
from abc import abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import ClassVar

from limner.data.formats.folder import Folder
from limner.data.formats.format import Format
from limner.data.formats.source import Source
from limner.data.formats.splits import by_split, split_name
from limner.errors import InputError


class CaptionFormat(Format):
    """Base class of these formats; a subclass implements `detect` and `read_file`.

    Attributes:
        label: description of its files, with {} for their names.
    """

    needs_images = True
    one_file = True
    label: ClassVar[str] = "{}"

    @abstractmethod
    def read_file(self, path: Path) -> Source:
        """Read the captions of one file, and splits if it has them.

        Raises:
            InputError: if it cannot be read or has no caption.
        """

    def read_files(self, path: Path, files: Sequence[Path], images: Collection[str]) -> Source:
        """Read one file, or one file per split.

        Args:
            path: the source.
            files: as `select` gives them.
            images: names of all images.
        """
        if len(files) == 1:
            return self.read_file(files[0])
        merged = Source(path)
        folders = sorted({posixpath.dirname(name) for name in images})
        for split, file in (by_split(files) or {}).items():
            merged.splits[split] = merged.take_in(
                self.read_file(file), _folder_of(split, file, folders)
            )
        return merged

    def read_captions(self, path: Path, files: Sequence[Path], images: Collection[str]) -> Source:
        """As `read_files`, with a title."""
        source = self.read_files(path, files, images)
        source.files = [*files]
        source.title = self.label.format(" and ".join(file.name for file in files[:3]))
        return source

    def read(self, path: Path, files: Sequence[Path], images: Folder) -> Source:
        """As in `Format`: the captions, and all images of the folder."""
        if not images.image_files:
            raise InputError(
                f"{images.path}: no images for {files[0].name} in it; give their folder with "
                "`images`"
            )
        source = self.read_captions(path, files, images.image_files)
        source.image_files, source.root = {**images.image_files}, images.path
        source.passed_over = images.problems.followed_by(source.passed_over)
        source.title += f" and the images of {images.path}/"
        return source


def _folder_of(split: str, file: Path, folders: Sequence[str]) -> str:
    """The folder of a split's images: train2014 for captions_train2014.json, or train."""
    for folder in folders:
        name = posixpath.basename(folder)
        if name and (file.stem.endswith(f"_{name}") or split_name(name) == split):
            return folder
    return ""
