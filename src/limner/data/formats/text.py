"""A `.txt` beside each image, of the same name, with one caption per line."""

from collections.abc import Sequence
from pathlib import Path

from limner.data.formats.encoding import read_text
from limner.data.formats.folder import Folder
from limner.data.formats.format import Candidate, Format
from limner.data.formats.source import Source
from limner.errors import InputError


class Text(Format):
    """Captions beside their images; a text without image, such as README.txt, is ignored."""

    name = "text"
    title = "a .txt beside each image, a caption a line"
    suffixes = (".txt",)
    needs_images = True

    def detect(self, file: Candidate) -> bool:
        return bool(file.images)

    def read(self, path: Path, files: Sequence[Path], images: Folder) -> Source:
        """See `Format.read`; reads every text beside an image."""
        if not path.is_dir():
            raise InputError(f"{path}: a file; `format` text takes the folder of the images")
        source = Source(images.path, title=f"images of {images.path}/ with a .txt beside each")
        source.root, source.files = images.path, [images.path]
        source.image_files, source.passed_over = {**images.image_files}, images.problems
        for text, file in images.others.items():
            beside = images.beside(text) if text.lower().endswith(".txt") else []
            if len(beside) > 1:
                wrong = f"{text} stands beside {' and '.join(beside[:3])}"
                source.pass_over("", "text files that match several images", wrong)
            elif beside:
                try:
                    lines = read_text(file).split("\n")
                except InputError as error:
                    source.passed_over.add("texts that cannot be read", str(error))
                    continue
                for line in filter(str.strip, lines):
                    source.add(beside[0], line, text)
        return source.checked("a.txt beside a.jpg, with a caption a line")
