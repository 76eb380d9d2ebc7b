"""Source formats: images with captions in common file layouts.

A format is an object (`Format`), in a file of its own and in the list `FORMATS` in read.py.
"""

from limner.data.formats.columns import Columns
from limner.data.formats.encoding import read_text
from limner.data.formats.read import FORMATS, read_source
from limner.data.formats.source import ImageFile, Member, Source
from limner.data.formats.splits import read_split_files, split_by_ratio
from limner.data.formats.table import read_captions

__all__ = [
    "FORMATS",
    "Columns",
    "ImageFile",
    "Member",
    "Source",
    "read_captions",
    "read_source",
    "read_split_files",
    "read_text",
    "split_by_ratio",
]
