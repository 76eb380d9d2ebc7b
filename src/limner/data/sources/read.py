"""From whatever somebody has to a `Source`."""

from collections.abc import Mapping
from pathlib import Path

from limner.data.sources.captions_file import read_captions_file
from limner.data.sources.encoding import read_text
from limner.data.sources.folder import look_into
from limner.data.sources.source import Source
from limner.data.sources.tables import TOKEN_LINE, read_captions
from limner.data.sources.text import read_texts, texts_beside
from limner.errors import InputError

FORMATS = {
    "table": "captions in CSV, TSV or JSONL, and a folder of pictures",
    "text": "a .txt beside each picture, with a caption a line",
    "flickr": "the token file of Flickr8k or Flickr30k, with its split files",
}


def read_source(
    path: Path,
    *,
    format: str | None = None,
    captions: Path | None = None,
    images: Path | None = None,
    split_files: Mapping[str, Path] | None = None,
) -> Source:
    """Read what `path` holds, after finding out what it is."""
    if path.is_file():
        captions, images = captions or path, images or path.parent
    pictures = look_into(images or path)
    if captions is None:
        if texts_beside(pictures):
            return read_texts(pictures)
        tables = [p for n, p in pictures.others.items() if p.suffix.lower() in (".csv", ".tsv")]
        tables += [p for n, p in pictures.others.items() if "token" in n]
        if len(tables) != 1:
            raise InputError(f"{path}: expected one table of captions; name it by --captions")
        captions = tables[0]
    written = read_captions(captions)
    is_flickr = TOKEN_LINE.match(read_text(captions).split("\n")[0])
    found = pictures if images else pictures.below()
    return read_captions_file(path, "flickr" if is_flickr else "table", written, found, split_files)
