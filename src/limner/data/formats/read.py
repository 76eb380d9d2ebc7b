"""From whatever somebody has to a `Source`: the list of formats, and the choice among them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from limner.data.formats.caption_format import CaptionFormat, caption_format
from limner.data.formats.coco import Coco
from limner.data.formats.features import Features
from limner.data.formats.flickr import Flickr
from limner.data.formats.format import Format, Request
from limner.data.formats.imagefolder import Imagefolder
from limner.data.formats.karpathy import Karpathy
from limner.data.formats.refuse import no_format, refuse_file, refuse_prepared
from limner.data.formats.source import Source
from limner.data.formats.table import Table
from limner.data.formats.text import Text
from limner.data.formats.webdataset import WebDataset
from limner.errors import InputError

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        Text(),
        WebDataset(),
        Features(),
        Imagefolder(),
        Karpathy(),
        Coco(),
        Flickr(),
        Table(),
    )
}
"""All formats by name, in the order in which they are asked whether a file is theirs.

The last takes a file that none of them has detected: its reader says what is wrong.
"""

_TABLES = (".csv", ".tsv", ".jsonl", ".json")


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
        images: the folder of images, if it is elsewhere.
        split_files: {split: file with an image a line}, in the place of the source's own splits.

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
    named = FORMATS[format] if format else None
    request = Request(path, captions, images, split_files or {}, [*FORMATS.values()])
    if path.is_dir():
        return _read_folder(request, named)
    refuse_file(path)
    return _read(named or request.format_of(path), request, [path])


def _read_folder(request: Request, named: Format | None) -> Source:
    path, folder = request.path, request.folder
    refuse_prepared(path)
    has_images = bool(request.image_folder.pictures)
    found = request.formats_in(folder, has_images)
    first = named or next(iter(found), None)
    if request.captions and (first is None or has_images or not first.needs_captions):
        captions = caption_format(request, request.captions, named)
        return captions.read(request, [request.captions])
    chosen, files = _choose(request, found, named)
    source = _read(chosen, request, files)
    source.problems[:0] = [
        f"{path}: {others[0].name} is there too; --format {other.name} takes it for {other.title}"
        for other, others in found.items()
        if other is not chosen and named is None and not set(others) & set(source.files)
    ]
    return source


def _choose(
    request: Request, found: Mapping[Format, list[Path]], named: Format | None
) -> tuple[Format, Sequence[Path]]:
    """The format that is named or likeliest, and its files."""
    folder = request.folder
    for format, files in found.items():
        if named in (None, format):
            return format, format.select(files, folder.path)
    tables = [path for name, path in folder.others.items() if name.lower().endswith(_TABLES)]
    usual = named or request.formats[-1]
    if len(tables) == 1 and isinstance(usual, CaptionFormat):  # its reader says what is wrong
        return usual, tables
    if named is None:
        raise no_format(folder)
    raise InputError(f"{folder.path}: nothing of --format {named.name} in it: {named.title}")


def _read(format: Format, request: Request, files: Sequence[Path]) -> Source:
    source = format.read(request, files)
    for option in format.ignored:
        if getattr(request, option):
            raise InputError(f"--{option} has no effect with {source.title}: leave it out")
    return source
