"""The token file of Flickr8k and Flickr30k: `name.jpg#0<TAB>A caption .` in each line."""

from collections.abc import Sequence
from pathlib import Path

from limner.data.formats.format import Candidate
from limner.data.formats.table import TOKEN_LINE, Table


class Flickr(Table):
    """A token file, with split files such as Flickr_8k.trainImages.txt beside it."""

    name = "flickr"
    title = "the token file of Flickr8k or Flickr30k, with its split files"
    label = "Flickr's token file {}"
    keeps_duplicates = True

    def detect(self, file: Candidate) -> bool:
        return any(map(TOKEN_LINE.match, file.text.splitlines()[:1]))

    def select(self, files: Sequence[Path], folder: Path) -> Sequence[Path]:
        """As in `Format`; Flickr8k's own folder has the lemmas of its captions, too."""
        return super().select([f for f in files if ".lemma." not in f.name] or files, folder)
