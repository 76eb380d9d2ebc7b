"""Writing systems in which `limner.vocabulary.tokenize` does not find the words.

It takes letters between spaces for a word. That fails where a script has no spaces between words,
and where vowels are marks of their own beside the letters, which are lost and tear words apart.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from limner.vocabulary import tokenize

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
"""First words of characters' Unicode names, and the languages."""

ADVICE = {
    "no spaces": "a whole sentence becomes one word; cut the captions into words by spaces first, "
    "or prepare with --tokens char",
    "marks": "vowel signs and accents of their own are lost, and words are torn there; cut or "
    "transcribe the captions first",
}


@dataclass(frozen=True)
class Mangled:
    """What becomes of captions in a script.

    Attributes:
        script: its name, with the language where that is known.
        kind: a key of `ADVICE`.
        captions: how many.
        example: one of them.
    """

    script: str
    kind: str
    captions: int
    example: str

    def __str__(self) -> str:
        return f"{self.captions:,} captions in {self.script}: {ADVICE[self.kind]}"


def mangled(captions: Iterable[str]) -> list[Mangled]:
    """The scripts in which captions are mangled, the most frequent first.

    >>> [(one.script, one.kind) for one in mangled(["a dog", "一只狗在跑", "एक कुत्ता दौड़ रहा है"])]
    [('Chinese or Japanese', 'no spaces'), ('Devanagari', 'marks')]
    """
    found: dict[tuple[str, str], list[str]] = {}
    for caption in captions:
        if not caption.isascii():
            for trouble in sorted(_troubles(caption)):
                found.setdefault(trouble, []).append(caption)
    several = [Mangled(*trouble, len(texts), texts[0]) for trouble, texts in found.items()]
    return sorted(several, key=lambda one: -one.captions)


def _troubles(caption: str) -> set[tuple[str, str]]:
    """(script, kind) of what goes wrong."""
    kept = set("".join(tokenize(caption)))
    troubles = set()
    for character in set(caption.lower()):
        script = unicodedata.name(character, "").split(" ")[0]
        if script in WITHOUT_SPACES and character.isalpha():
            troubles.add((WITHOUT_SPACES[script], "no spaces"))
        elif unicodedata.category(character).startswith("M") and character not in kept:
            name = "letters with accents apart" if script == "COMBINING" else script.capitalize()
            if script not in WITHOUT_SPACES:
                troubles.add((name, "marks"))
    return troubles
