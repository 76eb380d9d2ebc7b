"""A `.txt` beside each image, of the same name, with a caption a line."""

from collections.abc import Sequence
from pathlib import Path

from limner.data.formats.caption_file import CaptionFile
from limner.data.formats.encoding import read_text
from limner.data.formats.format import Candidate, Format, Request
from limner.data.formats.joining import join
from limner.data.formats.source import Source
from limner.errors import InputError


class Text(Format):
    """Captions beside their images; a README.txt, which has no image, is not one of them."""

    name = "text"
    title = "a .txt beside each picture, a caption a line"
    suffixes = (".txt",)

    def detect(self, file: Candidate) -> bool:
        return file.folder is not None and bool(file.folder.images_beside(file.name))

    def read(self, request: Request, files: Sequence[Path]) -> Source:
        """As in `Format`: every text in the folder of the images."""
        if not request.path.is_dir():
            raise InputError(
                f"{request.path}: a file; --format text takes the folder of the pictures"
            )
        folder = request.image_folder
        written = CaptionFile(folder.path)
        for text, path in folder.others.items():
            images = folder.images_beside(text) if text.lower().endswith(".txt") else []
            if len(images) > 1:
                several = " and ".join(images[:3])
                wrong = f"{text} stands beside {several}"
                written.pass_over("", "texts of several pictures", wrong)
            elif images:
                try:
                    lines = read_text(path).split("\n")
                except InputError as error:
                    written.passed_over.add("texts that cannot be read", str(error))
                    continue
                for line in filter(str.strip, lines):
                    written.add(images[0], line, text)
        written.checked("a.txt beside a.jpg, with a caption a line")
        source = Source(
            folder.path, self.name, f"pictures of {folder.path}/ with a .txt beside each"
        )
        source.root, source.files = folder.path, [folder.path]
        source.problems = folder.problems.lines()
        return join(source, written, folder.pictures, request.split_files)
