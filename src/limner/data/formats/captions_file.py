"""Files of captions, whatever they are written in, and a folder of pictures."""

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

from limner.data.formats.coco import read_annotations, read_karpathy
from limner.data.formats.detect import Finding
from limner.data.formats.encoding import read_text
from limner.data.formats.folder import Folder
from limner.data.formats.joining import join
from limner.data.formats.matching import match_names
from limner.data.formats.source import Picture, Source
from limner.data.formats.splits import by_split, split_name, split_of_file
from limner.data.formats.tables import CaptionFile, read_captions
from limner.errors import InputError

READERS = {
    "table": read_captions,
    "flickr": read_captions,
    "imagefolder": read_captions,
    "coco": read_annotations,
    "karpathy": read_karpathy,
}

PUBLISHED = ("flickr", "coco", "karpathy")
"""Sets that are scored on all the captions that they have, those that stand twice among them."""


def pictures_with_captions(
    path: Path,
    finding: Finding,
    pictures: Folder,
    split_files: Mapping[str, Path] | None = None,
) -> Source:
    """Captions, and the pictures of a folder.

    Args:
        path: what was named on the command line.
        finding: the files of captions; several are a split each, or a folder's each (imagefolder).
        pictures: the folder.
        split_files: {split: file with a picture a line}.

    Raises:
        InputError: if a file cannot be read, or there is no picture.
    """
    if not pictures.pictures:
        raise InputError(
            f"{pictures.path}: no pictures in it for {finding.files[0].name}; name their folder by "
            "--images"
        )
    source = Source(path, finding.format, "", root=pictures.path)
    source.problems = pictures.problems.lines()
    captioned(source, finding, pictures.pictures, split_files)
    if finding.format not in ("karpathy", "imagefolder"):
        source.title += f" and the pictures of {pictures.path}/"
    return source


def captioned(
    source: Source,
    finding: Finding,
    pictures: Mapping[str, Picture] | Sequence[str],
    split_files: Mapping[str, Path] | None,
) -> Source:
    """Complete a source with captions and splits.

    Split files that nobody named are looked for beside a table or token file without splits.

    Raises:
        InputError: if a file cannot be read, or nothing in it goes with the pictures.
    """
    written = _read(source.path, finding, list(pictures))
    source.files += finding.files
    source.title += _title(finding)
    if written.splits and finding.format == "karpathy":
        source.title += ", with its splits"
    if finding.format in ("table", "flickr") and not written.splits and not split_files:
        split_files = _split_files_beside(source, finding.files[0], written)
        if split_files:
            names = ", ".join(file.name for file in split_files.values())
            source.title += f", the splits of {names}"
    source.files += (split_files or {}).values()
    return join(source, written, pictures, split_files, once=finding.format not in PUBLISHED)


def _title(finding: Finding) -> str:
    names = " and ".join(file.name for file in finding.files[:3])
    return {
        "table": names,
        "flickr": f"Flickr's token file {names}",
        "imagefolder": f"Hugging Face's imagefolder with {names}",
        "coco": f"COCO's {names}",
        "karpathy": f"Karpathy's {names}",
    }[finding.format]


def _read(path: Path, finding: Finding, pictures: Sequence[str]) -> CaptionFile:
    """All captions, those of several files under names with a folder."""
    reader = READERS[finding.format]
    if finding.format == "imagefolder":
        return _imagefolder(path, finding.files)
    if len(finding.files) == 1:
        return reader(finding.files[0])
    merged = CaptionFile(path)
    folders = sorted({posixpath.dirname(name) for name in pictures})
    for split, file in (by_split(finding.files) or {}).items():
        merged.splits[split] = merged.take_in(reader(file), _folder_of(split, file, folders))
    return merged


def _folder_of(split: str, file: Path, folders: Sequence[str]) -> str:
    """The folder of a split's pictures: train2014 for captions_train2014.json, or train."""
    for folder in folders:
        name = posixpath.basename(folder)
        if name and (file.stem.endswith(f"_{name}") or split_name(name) == split):
            return folder
    return ""


def _imagefolder(path: Path, files: Sequence[Path]) -> CaptionFile:
    """Names are relative to their metadata's folder; train/, validation/ and test/ are splits."""
    merged = CaptionFile(path)
    for file in files:
        inside = path.is_dir() and file.is_relative_to(path)
        folder = file.parent.relative_to(path).as_posix() if inside else ""
        for name in merged.take_in(read_captions(file), folder):
            split = split_of_file(name.split("/")[0]) if "/" in name else None
            if split:
                merged.splits.setdefault(split, []).append(name)
    return merged


def _split_files_beside(source: Source, captions: Path, written: CaptionFile) -> dict[str, Path]:
    """Files such as Flickr_8k.trainImages.txt, if what is in them are names of the captions."""
    files: dict[str, Path] = {}
    for file in sorted(captions.parent.glob("*.txt")):
        split = split_of_file(file.name)
        if split and file != captions and file.is_file():
            if _are_names(file, written):
                files[split] = file
            else:
                source.problems.append(f"{file}: no split, few of its lines name a picture")
    return files if "train" in files and len(files) > 1 else {}


def _are_names(file: Path, written: CaptionFile) -> bool:
    try:
        names = [line.strip() for line in read_text(file).split("\n") if line.strip()]
    except InputError:
        return False
    return 2 * len(match_names(names, written.captions).found) > len(names)
