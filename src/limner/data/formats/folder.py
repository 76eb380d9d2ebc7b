"""Listing of a folder and its subfolders: images and other files."""

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from limner.data.formats.problems import Problems
from limner.errors import InputError
from limner.images.images import SUFFIXES

_NOT_IMAGES = {"__macosx", "thumbs.db", "desktop.ini"}


@dataclass
class Folder:
    """The contents of a folder.

    Attributes:
        path: the folder.
        images: {path below `path`, with slashes: the file}, in order.
        others: the other files, in order.
        problems: files that cannot be used.
    """

    path: Path
    image_files: dict[str, Path] = field(default_factory=dict)
    others: dict[str, Path] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)

    def below(self) -> "Folder":
        """The innermost folder with all images, for example `images/`."""
        shared = posixpath.commonpath(
            [posixpath.dirname(name) for name in self.image_files] or [""]
        )
        start = f"{shared}/" if shared else ""
        image_files, others = (
            {n.removeprefix(start): path for n, path in files.items() if n.startswith(start)}
            for files in (self.image_files, self.others)
        )
        return Folder(self.path / shared, image_files, others, self.problems)

    def beside(self, name: str) -> list[str]:
        """The images with the name of another file, apart from the extension."""
        return self._by_stem.get(posixpath.splitext(name)[0], [])

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.image_files:
            found.setdefault(posixpath.splitext(name)[0], []).append(name)
        return found


def list_folder(path: Path) -> Folder:
    """List a folder, following links to folders; hidden files are ignored.

    Raises:
        InputError: if it is missing, a file, or not readable.
    """
    if not path.is_dir():
        what = "a file, expected a folder" if path.exists() else "no such folder"
        raise InputError(f"{path}: {what}")
    folder = Folder(path)
    found = sorted(_files(path, folder.problems))
    for name in found:
        if not can_be_listed(name):
            folder.problems.add(
                "names that are not a line of UTF-8",
                f"{path}: a file's name is not a line of UTF-8: {name!a}; rename it",
            )
        elif PurePosixPath(name).suffix.lower() in SUFFIXES:
            folder.image_files[name] = path / name
        else:
            folder.others[name] = path / name
    return folder


def _files(root: Path, problems: Problems) -> Iterator[str]:
    def note(error: OSError) -> None:
        line = f"{error.filename}: cannot be read ({error.strerror})"
        if error.filename == str(root):
            raise InputError(line) from None
        problems.add("folders that cannot be read", line)

    seen = set()  # links may be cyclic
    for here, folders, files in os.walk(root, onerror=note, followlinks=True):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [
            name for name in folders if is_meant(name) and not _is_output(Path(here) / name)
        ]
        start = Path(here).relative_to(root).as_posix()
        for name in files:
            if is_meant(name):
                yield name if start == "." else f"{start}/{name}"


def _is_output(folder: Path) -> bool:
    """Whether a subfolder is an output of limner: a dataset, complete or not, or a run."""
    signs = (
        "vocab.json",
        "partial/lock",
        "history.jsonl",
    )  # not dataset.json, as Karpathy's
    return any((folder / sign).exists() for sign in signs)


def is_meant(name: str) -> bool:
    """Whether a name is not that of a hidden file, or a file of the operating system."""
    return not name.startswith(".") and name.lower() not in _NOT_IMAGES


def can_be_listed(name: str) -> bool:
    """Whether a name can be written as a line of UTF-8."""
    return is_utf8(name) and "\n" not in name and "\r" not in name


def is_utf8(text: str) -> bool:
    """Whether a text can be encoded as UTF-8, without lone surrogates.

    >>> is_utf8("caf\\udce9")
    False
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
