"""Finding out what somebody has, by the names of files and the first words in them."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from limner.data.formats.encoding import read_bytes
from limner.data.formats.features import ENDINGS
from limner.data.formats.folder import Folder
from limner.data.formats.splits import by_split
from limner.data.formats.tables import TOKEN_LINE, table_header
from limner.data.formats.text import texts_beside
from limner.errors import InputError
from limner.images.images import SUFFIXES

FORMATS = {
    "table": "a table of captions (CSV, TSV, JSONL, JSON) and a folder of pictures",
    "text": "a .txt beside each picture, a caption a line",
    "coco": "COCO's captions_*.json and its folder of pictures",
    "karpathy": "Karpathy's dataset_*.json, with its splits",
    "flickr": "the token file of Flickr8k or Flickr30k, with its split files",
    "imagefolder": "Hugging Face's imagefolder: metadata.jsonl or metadata.csv",
    "webdataset": "WebDataset's tar shards",
    "features": "features in HDF5 or .npy, with ids and captions, and no pictures",
}
"""What `--format` takes, in words."""

CAPTION_FORMATS = ("imagefolder", "karpathy", "coco", "flickr", "table")

_TEXTS = {".csv", ".tsv", ".txt", ".token", ".json", ".jsonl", ".ndjson"}
_OTHER_TASKS = ("instances_", "person_keypoints_", "stuff_", "panoptic_", "image_info_")
_ENDS = 1 << 16
_PICTURE_KEY = re.compile(rf"(?:{'|'.join(re.escape(s) for s in SUFFIXES)})\"\s*:", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """A format that fits, and the files that it is in."""

    format: str
    files: list[Path]


def find_formats(folder: Folder, with_pictures: bool) -> list[Finding]:
    """All formats that what is in a folder fits, the likeliest first."""
    kinds: dict[str, list[Path]] = {}
    for path in _candidates(folder):
        with suppress(InputError):  # what cannot be read is told if it is all there is
            kinds.setdefault(kind_of(path) or "", []).append(path)
    kinds["text"] = [folder.path] if texts_beside(folder) else []
    order = [*CAPTION_FORMATS, "text", "webdataset", "features"]
    if not with_pictures:
        order = ["webdataset", "features", *CAPTION_FORMATS]
    return [Finding(format, kinds[format]) for format in order if kinds.get(format)]


def _candidates(folder: Folder) -> Iterator[Path]:
    """Files that may be captions, shards or features; those deep in folders are not looked into."""
    beside = texts_beside(folder)
    for name, path in folder.others.items():
        suffix = PurePosixPath(name).suffix.lower()
        is_text = suffix in _TEXTS and name not in beside and name.count("/") <= 1
        if is_text or suffix in (".tar", *ENDINGS) or _is_metadata(path):
            yield path


def _is_metadata(path: Path) -> bool:
    return path.name in ("metadata.csv", "metadata.jsonl")


def kind_of(path: Path) -> str | None:
    """The format of a file; None if it is none of them.

    Raises:
        InputError: if it cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".tar":
        return "webdataset"
    if suffix in ENDINGS:
        return "features"
    if _is_metadata(path):
        return "imagefolder"
    return None if path.name.startswith(_OTHER_TASKS) else _kind_of_text(_ends(path).lstrip())


def _kind_of_text(text: str) -> str | None:
    if text.startswith(("{", "[")):
        return _kind_of_json(text)
    lines = text.splitlines() or [""]
    if TOKEN_LINE.match(lines[0]):
        return "flickr"
    header = lines[1] if lines[0].lower().startswith("sep=") and len(lines) > 1 else lines[0]
    return "table" if table_header(header) else None


def _ends(path: Path) -> str:
    """The first and the last of a file: enough to know it by, however large it is."""
    head = read_bytes(path, _ENDS)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", errors="replace")
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _ENDS, 0))
        tail = file.read()
    return (head.removeprefix(b"\xef\xbb\xbf") + b"\n" + tail).decode(errors="replace")


def _kind_of_json(text: str) -> str | None:
    keys = set(re.findall(r'"([A-Za-z_0-9]+)"\s*:', text))
    if text.startswith("{") and {"images", "sentences", "filename"} <= keys:
        return "karpathy"
    if text.startswith("{") and {"image_id", "caption"} <= keys and keys & {"annotations", "info"}:
        return "coco"
    in_rows = text.startswith("[") or text.split("\n", 1)[0].rstrip().endswith("}")
    if _PICTURE_KEY.search(text) or (in_rows and table_header(",".join(sorted(keys)))):
        return "table"
    return None


def one_of(finding: Finding, folder: Path) -> list[Path]:
    """The files of a format: one of captions, or several that are a split each.

    Raises:
        InputError: if it is open which of several is meant.
    """
    files = finding.files
    if finding.format == "flickr" and len(files) > 1:  # Flickr8k's own folder has both
        files = [file for file in files if ".lemma." not in file.name] or files
    several = finding.format in ("imagefolder", "webdataset", "text")
    if len(files) == 1 or several or (finding.format != "features" and by_split(files)):
        return files
    names = " or ".join(str(file.relative_to(folder)) for file in files[:4])
    option = "name it in the place of the folder" if finding.format == "features" else "--captions"
    raise InputError(f"{folder}: {len(files)} files could be meant, {names}; name one by {option}")
