"""A `.txt` beside each picture, of the same name, with a caption a line."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from limner.data.formats.encoding import read_text
from limner.data.formats.folder import Folder
from limner.data.formats.joining import join
from limner.data.formats.source import Source
from limner.data.formats.tables import CaptionFile
from limner.errors import InputError


def texts_beside(folder: Folder) -> dict[str, list[str]]:
    """{a `.txt`: the pictures that it stands beside}; a README.txt has none and is not there."""
    pictures: dict[str, list[str]] = {}
    for name in folder.pictures:
        pictures.setdefault(str(PurePosixPath(name).with_suffix("")), []).append(name)
    return {
        name: pictures[stem]
        for name in folder.others
        if name.lower().endswith(".txt") and (stem := name[: -len(".txt")]) in pictures
    }


def read_texts(folder: Folder, split_files: Mapping[str, Path] | None = None) -> Source:
    """Read them all; `split_files` are {split: file with a picture a line}.

    Raises:
        InputError: if no picture has a text beside it, or all of them are empty.
    """
    written = CaptionFile(folder.path)
    for text, pictures in texts_beside(folder).items():
        if len(pictures) > 1:
            several = " and ".join(pictures[:3])
            written.pass_over("", "texts of several pictures", f"{text} stands beside {several}")
            continue
        try:
            lines = read_text(folder.others[text]).split("\n")
        except InputError as error:
            written.passed_over.add("texts that cannot be read", str(error))
            continue
        for line in filter(str.strip, lines):
            written.add(pictures[0], line, text)
    if not written.captions:
        why = "".join(f" ({problem})" for problem in written.problems[:1])
        raise InputError(
            f"{folder.path}: not a single caption beside a picture; expected a.txt beside a.jpg, "
            f"with a caption a line{why}"
        )
    source = Source(folder.path, "text", f"pictures of {folder.path}/ with a .txt beside each")
    source.root, source.files = folder.path, [folder.path]
    source.problems = folder.problems.lines()
    return join(source, written, folder.pictures, split_files)
