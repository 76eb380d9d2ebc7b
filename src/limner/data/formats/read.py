"""From whatever somebody has to a `Source`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from limner.data.formats.captions_file import captioned, pictures_with_captions
from limner.data.formats.detect import (
    CAPTION_FORMATS,
    FORMATS,
    Finding,
    find_formats,
    kind_of,
    one_of,
)
from limner.data.formats.features import read_features
from limner.data.formats.folder import Folder, look_into
from limner.data.formats.refuse import no_format, refuse_file, refuse_prepared
from limner.data.formats.shards import expand, is_pattern
from limner.data.formats.source import Source
from limner.data.formats.text import read_texts
from limner.data.formats.webdataset import read_shards
from limner.errors import InputError

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
    """Read what `path` holds, after finding out what it is.

    Args:
        path: a folder; or a file of captions, shards or features; or a pattern of shards such as
            `train-{000..004}.tar`.
        format: one of `FORMATS`, if it is known.
        captions: the file of captions, if it is elsewhere or one of several.
        images: the folder of pictures, if it is elsewhere.
        split_files: {split: file with a picture a line}, in the place of the source's own splits.

    Raises:
        InputError: if it is none of the formats, or what it seems to be is damaged.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.jpg").write_bytes(b"")
    >>> _ = (folder / "captions.csv").write_text("file;text\\nA.JPG;A dog\\n")
    >>> source = read_source(folder)
    >>> source.format, source.captions, list(source.pictures)
    ('table', {'a.jpg': ['A dog']}, ['a.jpg'])
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"--format {format}: expected one of {', '.join(FORMATS)}")
    if is_pattern(path):
        return _shards(path, expand(path), split_files)
    if path.is_dir():
        return _folder(path, format, captions, images, split_files)
    finding = _finding_of(path, format)
    if finding.format == "webdataset":
        return _shards(path, finding.files, split_files)
    if finding.format == "features":
        return _features(path, finding.files, captions, split_files)
    if finding.format == "text":
        raise InputError(f"{path}: a file; --format text takes the folder of the pictures")
    if captions:
        raise InputError(f"{path}: a file of captions, and so is {captions}; name one of them")
    pictures = look_into(images) if images else _pictures_near(path)
    return pictures_with_captions(path, finding, pictures, split_files)


def _finding_of(file: Path, format: str | None) -> Finding:
    refuse_file(file)
    return Finding(format or kind_of(file) or "table", [file])


def _folder(
    path: Path,
    format: str | None,
    captions: Path | None,
    images: Path | None,
    split_files: Mapping[str, Path] | None,
) -> Source:
    refuse_prepared(path)
    folder = look_into(path)
    pictures = look_into(images) if images else folder
    findings = find_formats(folder, bool(pictures.pictures))
    if captions and not (findings and findings[0].format == "features" and not pictures.pictures):
        return pictures_with_captions(path, _finding_of(captions, format), pictures, split_files)
    finding = _chosen(folder, findings, format)
    files = one_of(finding, path)
    if finding.format == "webdataset":
        source = _shards(path, files, split_files)
    elif finding.format == "features":
        source = _features(path, files, captions, split_files)
    elif finding.format == "text":
        source = read_texts(pictures if images else folder.below(), split_files)
    else:
        pictures = pictures if images else folder.below()
        source = pictures_with_captions(path, Finding(finding.format, files), pictures, split_files)
    source.problems[:0] = [
        f"{path}: {other.files[0].name} is there too; --format {other.format} takes it for "
        f"{FORMATS[other.format]}"
        for other in (one for one in findings if one.format != finding.format)
        if format is None and not set(other.files) & set(source.files)
    ]
    return source


def _chosen(folder: Folder, findings: list[Finding], format: str | None) -> Finding:
    for finding in findings:
        if format in (None, finding.format):
            return finding
    tables = [path for name, path in folder.others.items() if name.lower().endswith(_TABLES)]
    if len(tables) == 1 and format in (None, *CAPTION_FORMATS):  # its reader says what is wrong
        return Finding(format or "table", tables)
    if format is None:
        raise no_format(folder)
    raise InputError(f"{folder.path}: nothing of --format {format} in it: {FORMATS[format]}")


def _pictures_near(captions: Path) -> Folder:
    """The pictures beside or below a file of captions, or beside its folder `annotations`."""
    here = captions.parent if captions.parent.name else captions.parent.absolute()
    folder = look_into(here)
    if not folder.pictures and here.name.lower() in _CAPTION_FOLDERS:
        folder = look_into(here.parent)
    return folder.below()


def _shards(path: Path, shards: Sequence[Path], split_files: Mapping[str, Path] | None) -> Source:
    if not shards:
        raise InputError(f"{path}: no file of such a name")
    return read_shards(path, shards, split_files)


def _features(
    path: Path,
    files: Sequence[Path],
    captions: Path | None,
    split_files: Mapping[str, Path] | None,
) -> Source:
    """Features, and the captions that were named or stand beside them."""
    features, ids = read_features(files[0])
    folder = look_into(files[0].parent)
    if captions:
        finding = _finding_of(captions, None)
    else:
        found = [one for one in find_formats(folder, True) if one.format in CAPTION_FORMATS]
        if not found:
            raise InputError(f"{files[0]}: no captions beside it; name them by --captions")
        finding = Finding(found[0].format, one_of(found[0], folder.path))
    source = Source(path, "features", f"the features of {files[0].name} with ")
    source.root, source.feature_file = files[0].parent, files[0]
    source.features, source.feature_ids = features, ids
    return captioned(source, finding, ids, split_files)
