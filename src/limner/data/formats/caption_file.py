"""What a file of captions holds, whatever it is written in."""

import posixpath
from dataclasses import dataclass, field
from pathlib import Path

from limner.data.formats.folder import is_utf8
from limner.data.formats.problems import Problems
from limner.data.formats.splits import split_name
from limner.errors import InputError


@dataclass
class CaptionFile:
    """What a file of captions holds.

    Attributes:
        path: the file.
        captions: {image name: its captions, in the file's order}.
        splits: {split: image names}, where the file says.
        passed_over: rows that are not among them.
        raw: whether captions are taken as they are written, blank ones among them.
    """

    path: Path
    captions: dict[str, list[str]] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)
    passed_over: Problems = field(default_factory=Problems)
    raw: bool = False

    @property
    def problems(self) -> list[str]:
        """What was passed over, in words."""
        return self.passed_over.lines()

    def add(self, image: str, caption: str, where: int | str = "", split: str = "") -> None:
        """Take a row in, or note why not; `where` it stands is a line or a place in words."""
        name = image.strip()
        caption = caption if self.raw else " ".join(caption.split())
        if not name or "\n" in name or "\0" in name:
            wrong = "a line break or a NUL in the image name" if name else "no image name"
            self.pass_over(where, "rows without an image name", wrong)
        elif not caption and not self.raw:
            self.pass_over(where, "blank captions", f"a blank caption for {name}")
        elif not is_utf8(name + caption):
            self.pass_over(where, "rows with half characters", "half a character (a surrogate)")
        else:
            name = posixpath.normpath(name)  # ./a.jpg is a.jpg
            self.captions.setdefault(name, []).append(caption)
            if split.strip():
                self.splits.setdefault(split_name(split), []).append(name)

    def take_in(self, other: "CaptionFile", folder: str = "") -> list[str]:
        """All captions of another file, under names in a folder; returns the names."""
        names = [posixpath.normpath(posixpath.join(folder, name)) for name in other.captions]
        for name, texts in zip(names, other.captions.values(), strict=True):
            self.captions.setdefault(name, []).extend(texts)
        self.passed_over.shown |= other.passed_over.shown
        self.passed_over.counts |= other.passed_over.counts
        return names

    def pass_over(self, where: int | str, kind: str, wrong: str) -> None:
        """Note a row that is not taken in."""
        place = f", line {where}" if isinstance(where, int) else f", {where}" if where else ""
        self.passed_over.add(f"{kind} in {self.path}", f"{self.path}{place}: {wrong}")

    def checked(self, expected: str = "") -> "CaptionFile":
        """Itself, if it has captions.

        Raises:
            InputError: if it has not a single one; it says what was expected, and the first row
                that was passed over.
        """
        if not self.captions:
            wanted = f"; expected {expected}" if expected else ""
            why = "".join(f" ({problem})" for problem in self.problems[:1])
            raise InputError(f"{self.path}: not a single caption in it{wanted}{why}")
        return self
