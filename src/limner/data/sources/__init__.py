"""What people have: pictures with captions in any of the forms that are about."""

from limner.data.sources.detect import FORMATS
from limner.data.sources.encoding import read_text
from limner.data.sources.json_captions import parse_json
from limner.data.sources.read import read_source
from limner.data.sources.source import Member, Picture, Source
from limner.data.sources.splits import read_split_files, split_by_ratio
from limner.data.sources.tables import CaptionFile, read_captions

__all__ = [
    "FORMATS",
    "CaptionFile",
    "Member",
    "Picture",
    "Source",
    "parse_json",
    "read_captions",
    "read_source",
    "read_split_files",
    "read_text",
    "split_by_ratio",
]
