"""What people have: pictures with captions in any of the forms that are about."""

from limner.data.formats.detect import FORMATS
from limner.data.formats.encoding import read_text
from limner.data.formats.json_captions import parse_json
from limner.data.formats.read import read_source
from limner.data.formats.source import Member, Picture, Source
from limner.data.formats.splits import read_split_files, split_by_ratio
from limner.data.formats.tables import CaptionFile, read_captions

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
