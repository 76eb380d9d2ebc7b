"""Formats whose captions are in files of their own, and whose images are in a folder."""

import posixpath
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from limner.data.formats.caption_file import CaptionFile
from limner.data.formats.folder import list_folder
from limner.data.formats.format import Format, Request
from limner.data.formats.joining import join
from limner.data.formats.matching import match_names
from limner.data.formats.source import Picture, Source
from limner.data.formats.splits import by_split, read_names, split_name, split_of_file
from limner.errors import InputError


class CaptionFormat(Format):
    """Base of these formats: a subclass says how to detect a file, and how to read one.

    Attributes:
        label: what files of it are called, with {} for their names.
        keeps_duplicates: whether a caption that an image has twice counts twice, as in datasets
            that are scored on all the captions that they have.
        finds_splits: whether files beside the captions are looked for that have their splits.
    """

    needs_images = True
    one_file = True
    label: ClassVar[str] = "{}"
    keeps_duplicates: ClassVar[bool] = False
    finds_splits: ClassVar[bool] = False

    @abstractmethod
    def read_file(self, path: Path) -> CaptionFile:
        """Read one file.

        Raises:
            InputError: if it cannot be read or has not a single caption.
        """

    def read_files(self, path: Path, files: Sequence[Path], images: Collection[str]) -> CaptionFile:
        """Read one file; or several, a split each, as one, under names with a folder.

        Args:
            path: what was named on the command line.
            files: as `select` gives them.
            images: names of all images.
        """
        if len(files) == 1:
            return self.read_file(files[0])
        merged = CaptionFile(path)
        folders = sorted({posixpath.dirname(name) for name in images})
        for split, file in (by_split(files) or {}).items():
            merged.splits[split] = merged.take_in(
                self.read_file(file), _folder_of(split, file, folders)
            )
        return merged

    def read(self, request: Request, files: Sequence[Path]) -> Source:
        """As in `Format`: the captions, and the images of the request's folder."""
        if request.captions and not request.path.is_dir():
            raise InputError(
                f"{request.path}: a file of captions, and so is {request.captions}; name one of "
                "them"
            )
        images = request.image_folder
        if not images.pictures:
            raise InputError(
                f"{images.path}: no pictures in it for {files[0].name}; name their folder by "
                "--images"
            )
        source = Source(request.path, self.name, "", root=images.path)
        source.problems = images.problems.lines()
        self.complete(source, files, images.pictures, request.split_files)
        source.title += f" and the pictures of {images.path}/"
        return source

    def complete(
        self,
        source: Source,
        files: Sequence[Path],
        images: Mapping[str, Picture] | Sequence[str],
        split_files: Mapping[str, Path],
    ) -> Source:
        """Complete a source with the captions and splits of files.

        Raises:
            InputError: if a file cannot be read, or nothing in it goes with the images.
        """
        written = self.read_files(source.path, files, images)
        source.files += files
        source.title += self.label.format(" and ".join(file.name for file in files[:3]))
        if written.splits:
            source.title += ", with splits"
        elif self.finds_splits and not split_files:
            split_files = _split_files_beside(source, files[0], written)
            if split_files:
                names = ", ".join(file.name for file in split_files.values())
                source.title += f", the splits of {names}"
        source.files += split_files.values()
        return join(source, written, images, split_files, once=not self.keeps_duplicates)


def _folder_of(split: str, file: Path, folders: Sequence[str]) -> str:
    """The folder of a split's images: train2014 for captions_train2014.json, or train."""
    for folder in folders:
        name = posixpath.basename(folder)
        if name and (file.stem.endswith(f"_{name}") or split_name(name) == split):
            return folder
    return ""


def _split_files_beside(source: Source, captions: Path, written: CaptionFile) -> dict[str, Path]:
    """Files such as Flickr_8k.trainImages.txt, if what is in them are names of the captions."""
    files: dict[str, Path] = {}
    for file in sorted(captions.parent.glob("*.txt")):
        split = split_of_file(file.name)
        if split and file != captions and file.is_file():
            names = []
            with suppress(InputError):
                names = read_names(file)
            if 2 * len(match_names(names, written.captions).found) > len(names):
                files[split] = file
            else:
                source.problems.append(f"{file}: no split, few of its lines name a picture")
    return files if "train" in files and len(files) > 1 else {}


def caption_format(request: Request, file: Path, format: Format | None = None) -> CaptionFormat:
    """The format of a file of captions; `format` if it is known.

    Raises:
        InputError: if it is no file of captions.
    """
    format = format or request.format_of(file)
    if not isinstance(format, CaptionFormat):
        raise InputError(f"{file}: expected a file of captions, and not {format.title}")
    return format


def captions_beside(request: Request, file: Path) -> tuple[CaptionFormat, Sequence[Path]]:
    """The captions that were named, or that are in the folder of a file.

    Raises:
        InputError: if there are none, or several could be meant.
    """
    if request.captions:
        return caption_format(request, request.captions), [request.captions]
    for format, files in request.formats_in(list_folder(file.parent), has_images=True).items():
        if isinstance(format, CaptionFormat):
            return format, format.select(files, file.parent)
    raise InputError(f"{file}: no captions beside it; name them by --captions")
