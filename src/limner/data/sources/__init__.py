"""What people have: pictures with captions in any of the forms that are about."""

from limner.data.sources.source import Member, Picture, Source
from limner.data.sources.tables import (
    IMAGE_COLUMNS,
    CaptionFile,
    read_captions,
    read_split_files,
    read_text,
    split_by_ratio,
)

__all__ = [
    "IMAGE_COLUMNS",
    "CaptionFile",
    "Member",
    "Picture",
    "Source",
    "read_captions",
    "read_split_files",
    "read_text",
    "split_by_ratio",
]
