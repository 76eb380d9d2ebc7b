"""Read a `Source`: list of formats and format detection."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from limner.data.formats.caption_format import CaptionFormat
from limner.data.formats.coco import Coco
from limner.data.formats.features import Features
from limner.data.formats.flickr import Flickr
from limner.data.formats.folder import Folder, list_folder
from limner.data.formats.format import Candidate, Format
from limner.data.formats.imagefolder import Imagefolder
from limner.data.formats.joining import join, split_files_beside
from limner.data.formats.karpathy import Karpathy
from limner.data.formats.problems import Problems
from limner.data.formats.refuse import no_format, refuse_file, refuse_prepared
from limner.data.formats.source import Source
from limner.data.formats.table import Table
from limner.data.formats.text import Text
from limner.data.formats.webdataset import WebDataset
from limner.errors import InputError

TABLE = Table()
"""The format of files that no format detects; its reader reports the problem."""

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        WebDataset(),
        Features(),
        Imagefolder(),
        Karpathy(),
        Coco(),
        Flickr(),
        TABLE,
        Text(),
    )
}
"""All formats by name, in the order of detection.

Formats that are detected by name precede those that read the file.
"""

_TABLES = (".csv", ".tsv", ".jsonl", ".json")

_CAPTION_FOLDERS = {"annotations", "captions", "labels", "text", "texts", "flickr8k_text"}


def read_source(
    path: Path,
    *,
    format: str | None = None,
    captions: Path | None = None,
    images: Path | None = None,
    split_files: Mapping[str, Path] | None = None,
) -> Source:
    """Detect the format of a source, and read it.

    Args:
        path: a folder; a file of captions, shards or features; or a pattern of shards such as
            `train-{000..004}.tar`.
        format: a key of `FORMATS`; None detects it.
        captions: the file of captions, if it is elsewhere or one of several.
        images: the folder of images, if it is elsewhere.
        split_files: {split: file with one image per line}, instead of the source's own splits.

    Returns:
        Images, captions and splits.

    Raises:
        InputError: if no format matches, or a file is damaged.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.jpg").write_bytes(b"")
    >>> _ = (folder / "captions.csv").write_text("file;text\\nA.JPG;A dog\\n")
    >>> source = read_source(folder)
    >>> source.format, source.captions, list(source.image_files)
    ('table', {'a.jpg': ['A dog']}, ['a.jpg'])
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"`format` {format}: expected one of {', '.join(FORMATS)}")
    named = FORMATS[format] if format else None
    choose = _choose_in_folder if path.is_dir() else _choose_file
    choice = choose(path, named, captions, images)
    reader = choice.format
    source = reader.read(path, choice.files, choice.images)
    for option, value in (("captions", captions), ("images", images)):
        if value and option in reader.ignored:
            raise InputError(f"`{option}` has no effect with {source.title}: leave it out")
    if reader.needs_captions:
        reader, source = _with_captions(source, captions)
    if not split_files and not source.splits and reader.finds_splits:
        split_files = split_files_beside(source)
        if split_files:
            names = ", ".join(file.name for file in split_files.values())
            source.title += f", with the splits of {names}"
    join(source, split_files or {}, once=not reader.keeps_duplicates)
    if source.splits and not split_files:
        source.title += ", with splits"
    notes = Problems()
    for other, files in choice.found.items():
        if other is not choice.format and named is None and not set(files) & set(source.files):
            taken = f"`format` {other.name} reads it as {other.title}"
            notes.add("other formats", f"{path}: {files[0].name} is there too; {taken}")
    passed_over = notes.followed_by(source.passed_over)
    return replace(source, path=path, format=choice.format.name, passed_over=passed_over)


class _Choice(NamedTuple):
    """A format, its files, the folder of the images, and all formats that were found."""

    format: Format
    files: Sequence[Path]
    images: Folder
    found: Mapping[Format, Sequence[Path]] = {}


def _choose_file(
    path: Path, named: Format | None, captions: Path | None, images: Path | None
) -> _Choice:
    format = _format_of(path, named)
    if not format.needs_images:
        return _Choice(format, [path], Folder(path))
    if captions:
        raise InputError(f"{path}: a file of captions, and so is {captions}; name one of them")
    return _Choice(format, [path], list_folder(images) if images else _folder_near(path))


def _choose_in_folder(
    path: Path, named: Format | None, captions: Path | None, images: Path | None
) -> _Choice:
    refuse_prepared(path)
    listing = list_folder(path)
    folder = list_folder(images) if images else listing
    found = _formats_in(listing, bool(folder.image_files))
    first = named or next(iter(found), None)
    if captions and (first is None or folder.image_files or not first.needs_captions):
        return _Choice(_caption_format(captions, named), [captions], folder)
    folder = folder if images else listing.below()
    for format, files in found.items():
        if named in (None, format):
            return _Choice(format, format.select(files, path), folder, found)
    tables = [file for name, file in listing.others.items() if name.lower().endswith(_TABLES)]
    usual = named or TABLE
    if len(tables) == 1 and isinstance(usual, CaptionFormat):  # its reader reports the problem
        return _Choice(usual, tables, folder, found)
    if named is None:
        raise no_format(listing)
    raise InputError(f"{path}: nothing in it has `format` {named.name}: {named.title}")


def _with_captions(features: Source, captions: Path | None) -> tuple[CaptionFormat, Source]:
    """Features with the given captions, or those in their folder."""
    format, files = _captions_beside(features.path, captions)
    written = format.read_captions(features.path, files, features.feature_ids)
    return format, replace(
        written,
        title=f"{features.title} with {written.title}",
        root=features.root,
        features=features.features,
        feature_ids=features.feature_ids,
        feature_file=features.feature_file,
    )


def _format_of(file: Path, named: Format | None = None) -> Format:
    """The format of a single file."""
    refuse_file(file)
    if named:
        return named
    candidate = Candidate(file)
    return next((format for format in FORMATS.values() if format.detect(candidate)), TABLE)


def _formats_in(folder: Folder, has_images: bool) -> dict[Format, list[Path]]:
    """The formats in a folder with their files, the most likely first."""
    found: dict[Format, list[Path]] = {}
    for name, path in folder.others.items():
        candidate = Candidate(path, name.count("/"), folder.beside(name))
        with suppress(InputError):  # reported only if nothing can be read
            for format in FORMATS.values():
                if candidate.suffix in format.suffixes and format.detect(candidate):
                    found.setdefault(format, []).append(path)
                    break
    ranked = sorted(FORMATS.values(), key=lambda format: format.needs_images != has_images)
    return {format: found[format] for format in ranked if format in found}


def _caption_format(file: Path, named: Format | None = None) -> CaptionFormat:
    """The format of a file of captions."""
    format = _format_of(file, named)
    if not isinstance(format, CaptionFormat):
        raise InputError(f"{file}: expected a file of captions, and not {format.title}")
    return format


def _captions_beside(file: Path, captions: Path | None) -> tuple[CaptionFormat, Sequence[Path]]:
    """The given captions, or those in the folder of a file."""
    if captions:
        return _caption_format(captions), [captions]
    for format, files in _formats_in(list_folder(file.parent), has_images=True).items():
        if isinstance(format, CaptionFormat):
            return format, format.select(files, file.parent)
    raise InputError(f"{file}: no captions beside it; give them with `captions`")


def _folder_near(captions: Path) -> Folder:
    """The images beside or below a file of captions, or beside its folder `annotations`."""
    here = captions.parent if captions.parent.name else captions.parent.absolute()
    folder = list_folder(here)
    if not folder.image_files and here.name.lower() in _CAPTION_FOLDERS:
        folder = list_folder(here.parent)
    return folder.below()
