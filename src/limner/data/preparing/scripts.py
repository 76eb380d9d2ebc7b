"""Scripts without spaces, which `limner.vocabulary.tokenize` does not split into words."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

WITHOUT_SPACES = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "THAI": "Thai",
    "LAO": "Lao",
    "KHMER": "Khmer",
    "MYANMAR": "Burmese",
    "TIBETAN": "Tibetan",
}
"""First words of Unicode character names, and the languages."""


@dataclass(frozen=True)
class Mangled:
    """Captions in a script that is not split into words.

    Attributes:
        script: the language.
        captions: number of captions.
        example: one of them.
    """

    script: str
    captions: int
    example: str

    def __str__(self) -> str:
        return (
            f"{self.captions:,} captions in {self.script}: a whole sentence becomes one word; "
            "prepare with `tokens` char, or put spaces between the words first"
        )


def mangled(captions: Iterable[str]) -> list[Mangled]:
    """The scripts of captions that are not split into words, the most frequent first.

    >>> [one.script for one in mangled(["a dog", "一只狗在跑", "एक कुत्ता दौड़ रहा है"])]
    ['Chinese or Japanese']
    """
    found: dict[str, list[str]] = {}
    for caption in captions:
        for script in set() if caption.isascii() else _scripts(caption):
            found.setdefault(script, []).append(caption)
    several = [Mangled(script, len(texts), texts[0]) for script, texts in sorted(found.items())]
    return sorted(several, key=lambda one: -one.captions)


def _scripts(caption: str) -> set[str]:
    letters = {character for character in caption if character.isalpha()}
    names = {unicodedata.name(letter, "").split(" ")[0] for letter in letters}
    return {WITHOUT_SPACES[name] for name in names & WITHOUT_SPACES.keys()}
