"""Hugging Face's imagefolder: a metadata.jsonl or metadata.csv in each folder of images."""

from collections.abc import Collection, Sequence
from pathlib import Path

from limner.data.formats.caption_format import CaptionFormat
from limner.data.formats.format import Candidate
from limner.data.formats.source import Source
from limner.data.formats.splits import split_of_file
from limner.data.formats.table import read_captions


class Imagefolder(CaptionFormat):
    """Tables of captions, whose names are relative to their folders."""

    name = "imagefolder"
    title = "Hugging Face's imagefolder: metadata.jsonl or metadata.csv"
    suffixes = (".jsonl", ".csv")
    one_file = False
    label = "Hugging Face's imagefolder with {}"

    def detect(self, file: Candidate) -> bool:
        return file.path.name in ("metadata.jsonl", "metadata.csv")

    def read_file(self, path: Path) -> Source:
        return read_captions(path)

    def read_files(self, path: Path, files: Sequence[Path], images: Collection[str]) -> Source:
        """As in `CaptionFormat`; folders named train, validation and test are splits."""
        merged = Source(path)
        for file in files:
            inside = path.is_dir() and file.is_relative_to(path)
            folder = file.parent.relative_to(path).as_posix() if inside else ""
            for name in merged.take_in(self.read_file(file), folder):
                split = split_of_file(name.split("/")[0]) if "/" in name else None
                if split:
                    merged.splits.setdefault(split, []).append(name)
        return merged
