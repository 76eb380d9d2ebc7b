"""A file of captions, a table or token lines, and a folder of pictures."""

from collections.abc import Mapping
from pathlib import Path

from limner.data.sources.folder import Folder
from limner.data.sources.joining import join
from limner.data.sources.source import Source
from limner.data.sources.splits import read_split_files, split_of_file
from limner.data.sources.tables import CaptionFile


def read_captions_file(
    path: Path,
    format: str,
    written: CaptionFile,
    pictures: Folder,
    split_files: Mapping[str, Path] | None = None,
) -> Source:
    """Put the captions together with the pictures of a folder.

    Args:
        path: what was named on the command line.
        format: "table" or "flickr".
        written: what the file holds.
        pictures: the folder.
        split_files: {split: file with a picture a line}; where there are none, they are looked for
            beside the file of captions.

    Raises:
        InputError: if a file of a split cannot be read.
    """
    source = Source(path, format, f"{written.path.name} and the pictures of {pictures.path}/")
    source.root, source.files = pictures.path, [written.path]
    splits = None
    if not written.splits and not split_files:
        split_files = _split_files_beside(written.path, source)
        if split_files:
            source.title += (
                f", with the splits of {', '.join(f.name for f in split_files.values())}"
            )
    if split_files:
        splits = read_split_files(split_files)
        source.files += split_files.values()
    return join(source, written, pictures.pictures, splits)


def _split_files_beside(captions: Path, source: Source) -> dict[str, Path]:
    """Files such as Flickr_8k.trainImages.txt, that go with the captions."""
    files: dict[str, Path] = {}
    for file in sorted(captions.parent.glob("*.txt")):
        split = split_of_file(file.name)
        if split and file != captions:
            files[split] = file
    return files if "train" in files else {}
