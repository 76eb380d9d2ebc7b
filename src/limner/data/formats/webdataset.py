"""WebDataset: tar shards with images and captions, read in place."""

import os
import posixpath
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from limner.data.formats.columns import COLUMNS, first_of
from limner.data.formats.encoding import read_bytes
from limner.data.formats.folder import Folder, can_be_listed, is_meant
from limner.data.formats.format import Candidate, Format
from limner.data.formats.json_rows import caption_texts, parse_json
from limner.data.formats.shards import expand, is_pattern
from limner.data.formats.source import Member, Source
from limner.data.formats.splits import split_of_file
from limner.errors import InputError
from limner.images.images import SUFFIXES

CAPTION_ENDINGS = (".txt", ".caption", ".json")

MOST = 1_000_000
"""Maximum bytes of a caption."""


class WebDataset(Format):
    """Shards; captions are read, images only located.

    The id of an image is its name in the shard, preceded by the shard if several shards have it.
    """

    name = "webdataset"
    title = "WebDataset's tar shards"
    suffixes = (".tar",)
    keeps_duplicates = True
    ignored = ("captions", "images")

    def detect(self, file: Candidate) -> bool:
        """See `Format.detect`; a pattern is always one of shards."""
        return file.suffix == ".tar" or is_pattern(file.path)

    def read(self, path: Path, files: Sequence[Path], images: Folder) -> Source:
        shards = expand(path) if is_pattern(path) else list(files)
        if not shards:
            raise InputError(f"{path}: no file of such a name")
        what = shards[0].name if len(shards) == 1 else f"{len(shards)} shards"
        root = Path(os.path.commonpath([shard.parent for shard in shards]))
        source = Source(path, title=f"WebDataset, {what}", root=root, files=shards)
        found: list[tuple[Member, list[str]]] = []
        classes = 0
        for shard in shards:
            for sample in _samples(shard, source):
                classes += sample.has_class
                if sample.image:
                    found.append((sample.image, _captions(sample, str(sample.image), source)))
        unique = len({image.name for image, _ in found}) == len(found)
        for image, texts in found:
            shard, name = image.archive.relative_to(root), posixpath.normpath(image.name)
            name = name if unique else f"{shard.with_suffix('').as_posix()}/{name}"
            if name in source.image_files:
                source.pass_over("", "duplicate names", f"{shard} has {name} twice")
                continue
            source.image_files[name] = image
            for text in texts:
                source.add(name, text, str(image), _split_of(shard))
        expected = "a.jpg and beside it a.txt, a.caption, or a.json with a caption"
        if classes:
            expected += (
                f" (a .cls is the number of a class, not a sentence; {classes} images have one)"
            )
        return source.checked(expected)


@dataclass
class _Sample:
    """The files with one key of a shard; `has_class` is whether there is a `.cls`."""

    image: Member | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    has_class: bool = False


def _split_of(shard: Path) -> str:
    """The split in the name of the shard or its folder: train-0000.tar, val/0000.tar."""
    return next(filter(None, map(split_of_file, reversed(shard.parts))), "")


def _captions(sample: _Sample, place: str, source: Source) -> list[str]:
    """The captions: lines of the text, or those of the JSON."""
    for ending in CAPTION_ENDINGS:
        try:
            texts = _texts(ending, sample.texts.get(ending, b""), Path(place))
        except (InputError, UnicodeDecodeError):
            wrong = f"its {ending} is not {'JSON' if ending == '.json' else 'text'} in UTF-8"
            source.pass_over(place, "captions that cannot be read", wrong)
            continue
        if texts:
            return texts
    return []


def _texts(ending: str, content: bytes, place: Path) -> list[str]:
    text = content.decode("utf-8-sig")
    if ending != ".json" or not text.strip():
        return [line for line in text.splitlines() if line.strip()]
    found = parse_json(place, text)
    key = first_of(COLUMNS.caption, found) if isinstance(found, dict) else None
    return (caption_texts(found[key]) or []) if key else []


def _samples(shard: Path, source: Source) -> Iterable[_Sample]:
    """The samples of a shard, by key: the path up to the first dot of the file's name."""
    samples: dict[str, _Sample] = {}
    for info, content in _members(shard, source):
        folder, file = posixpath.split(info.name)
        stem, _, ending = file.partition(".")
        ending = ending.lower()
        sample = samples.setdefault(posixpath.join(folder, stem), _Sample())
        if f".{ending}" in CAPTION_ENDINGS:
            sample.texts[f".{ending}"] = content
        elif f".{ending}" in SUFFIXES or (
            posixpath.splitext(file.lower())[1] in SUFFIXES and not sample.image
        ):
            sample.image = Member(shard, info.name, info.offset_data, info.size)
        sample.has_class |= ending == "cls"
    return samples.values()


def _members(shard: Path, source: Source) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Members of a shard, with the contents of captions."""
    if read_bytes(shard, 2) == b"\x1f\x8b":
        raise InputError(f"{shard}: compressed; unpack it with gunzip, images gain nothing by it")
    size = shard.stat().st_size
    try:
        with tarfile.open(shard, "r:") as tar:
            for info in tar:
                tar.members = []  # type: ignore[attr-defined]  # or it would keep them all
                if info.offset_data + info.size > size:
                    raise tarfile.ReadError("it ends within a file")
                if info.isreg() and not info.issparse() and _is_meant(info.name):
                    is_text = info.name.lower().endswith(CAPTION_ENDINGS)
                    file = tar.extractfile(info) if is_text else None
                    yield info, file.read(MOST) if file else b""
            with shard.open("rb") as rest:  # tarfile treats a damaged header as the end
                rest.seek(tar.offset)
                if rest.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise tarfile.ReadError("no end of an archive where it ends")
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        source.pass_over("", "damaged shards", f"{shard.name} is damaged or cut short ({error})")


def _is_meant(name: str) -> bool:
    inside = not name.startswith("/") and ".." not in name.split("/")
    return inside and can_be_listed(name) and is_meant(posixpath.basename(name))
