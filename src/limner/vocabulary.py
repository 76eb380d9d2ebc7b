"""Vocabularies: tokenize, count, encode, decode."""

import hashlib
import json
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import msgspec
import numpy as np

from limner.errors import InputError
from limner.typing import Array, Int

NULL, START, END, UNK = SPECIAL = ("<NULL>", "<START>", "<END>", "<UNK>")

JOINERS = "\u200c\u200d"
"""Zero-width characters inside words of Persian and of Indic scripts."""


def _word_pattern(marks: str) -> re.Pattern[str]:
    part = rf"\w[\w{marks}]*"
    return re.compile(rf"{part}(?:['’-]{part})*|['’](?:s|t|re|ll|ve|d|m)\b")


_ASCII_WORD = _word_pattern("")


@cache
def _unicode_word() -> re.Pattern[str]:
    """Words of any script: a combining mark (category M) belongs to the preceding letter."""
    marks = dict.fromkeys(c for c in map(chr, range(0x1F000)) if unicodedata.category(c)[0] == "M")
    # ranges, which compile faster than single characters
    firsts = [c for c in marks if chr(ord(c) - 1) not in marks]
    lasts = [c for c in marks if chr(ord(c) + 1) not in marks]
    ranges = (f"{first}-{last}" for first, last in zip(firsts, lasts, strict=True))
    return _word_pattern(JOINERS + "".join(ranges))


def _words(caption: str) -> Iterator[re.Match[str]]:
    """The words of a caption in normal form C, lower case."""
    pattern = _ASCII_WORD if caption.isascii() else _unicode_word()
    return pattern.finditer(caption.lower().replace("_", " "))


def tokenize(caption: str) -> list[str]:
    """Split a caption into lower-case words, without punctuation.

    An apostrophe or hyphen inside a word is kept. A separate English ending, as in Flickr8k's `the
    dog 's ball`, is a word, too. Unicode is normalized to form C first.

    Args:
        caption: the raw caption.

    Returns:
        The words.

    >>> tokenize("A dog's T-shirt -- the girl 's RED one!")
    ['a', "dog's", 't-shirt', 'the', 'girl', "'s", 'red', 'one']
    >>> tokenize("एक कुत्ता") == ["एक", "कुत्ता"], tokenize("Cafe\u0301") == ["caf\u00e9"]
    (True, True)
    """
    caption = unicodedata.normalize("NFC", caption)
    return [match[0].replace("’", "'") for match in _words(caption)]


def characters(words: Sequence[str]) -> list[str]:
    """The characters of a tokenized caption, including spaces.

    Args:
        words: the words of a caption.

    >>> characters(["a", "cat"])
    ['a', ' ', 'c', 'a', 't']
    """
    return list(" ".join(words))


def decode_captions(captions: Int[Array, "*N T"], idx_to_word: Sequence[str]) -> str | list[str]:
    """Convert token ids to text, without `<NULL>`, up to the first `<END>`.

    Args:
        captions: (T,) or (N, T) token ids.
        idx_to_word: the word of each id.

    Returns:
        A string for one caption, a list of strings for several.

    >>> decode_captions(np.array([1, 4, 2, 0, 0]), ["<NULL>", "<START>", "<END>", "<UNK>", "hi"])
    '<START> hi <END>'
    """
    if captions.ndim == 1:
        words: list[str] = []
        for index in captions:
            word = idx_to_word[int(index)]
            if word != NULL:
                words.append(word)
            if word == END:
                break
        return " ".join(words)
    return [str(decode_captions(caption, idx_to_word)) for caption in captions]


class _File(msgspec.Struct):
    """The part of vocab.json that is read."""

    idx_to_word: tuple[str, ...]


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model; ids 0 to 3 are `<NULL>`, `<START>`, `<END>`, `<UNK>`.

    Tokens are characters if a space is among them, otherwise words.

    Attributes:
        idx_to_word: the token of each id.

    >>> vocabulary = Vocabulary.build([["a", "dog"], ["a", "cat"]], min_count=2)
    >>> vocabulary.idx_to_word
    ('<NULL>', '<START>', '<END>', '<UNK>', 'a')
    >>> vocabulary.encode(["a", "dog"], length=5)
    array([1, 4, 3, 2, 0], dtype=int32)
    """

    idx_to_word: tuple[str, ...]

    @cached_property
    def of_characters(self) -> bool:
        """Whether tokens are characters."""
        return " " in self.idx_to_word

    @property
    def unit(self) -> str:
        """The kind of tokens: "words" or "characters"."""
        return "characters" if self.of_characters else "words"

    @cached_property
    def word_to_idx(self) -> dict[str, int]:
        """The id of each token."""
        return {word: index for index, word in enumerate(self.idx_to_word)}

    @cached_property
    def sha256(self) -> str:
        """Hash of the tokens in their order."""
        return hashlib.sha256("\n".join(self.idx_to_word).encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} {self.unit})"

    def __len__(self) -> int:
        return len(self.idx_to_word)

    @classmethod
    def build(cls, captions: Iterable[Sequence[str]], min_count: int = 1) -> "Vocabulary":
        """Build a vocabulary of the tokens that occur at least `min_count` times.

        Args:
            captions: tokenized captions.
            min_count: minimum count of a token.

        Returns:
            The vocabulary, sorted by decreasing count, then alphabetically.
        """
        counts = Counter(word for caption in captions for word in caption)
        kept = [word for word, count in counts.items() if count >= min_count]
        kept.sort(key=lambda word: (-counts[word], word))
        return cls((*SPECIAL, *kept))

    @classmethod
    def from_mapping(cls, word_to_idx: Mapping[str, int]) -> "Vocabulary":
        """From a dict of ids; raises InputError unless they are 0, 1, 2, ...

        Args:
            word_to_idx: {word: id}.
        """
        words = sorted(word_to_idx, key=lambda word: word_to_idx[word])
        if [word_to_idx[word] for word in words] != list(range(len(words))):
            raise InputError("the vocabulary's ids must be 0, 1, 2, ... without a gap")
        return cls(tuple(words))

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read `vocab.json` or the course's `coco2014_vocab.json`; raises InputError if invalid.

        Args:
            path: the file.
        """
        try:
            words = msgspec.json.decode(path.read_bytes(), type=_File).idx_to_word
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InputError(
                f"{path}: expected JSON with a list `idx_to_word` ({error}); "
                "prepare the dataset again"
            ) from None
        vocabulary = cls(words)
        if vocabulary.idx_to_word[:4] != SPECIAL:
            raise InputError(f"{path}: the first four words must be {' '.join(SPECIAL)}")
        return vocabulary

    def to_json(self) -> str:
        """The contents of a file for `load`."""
        mappings = {"idx_to_word": list(self.idx_to_word), "word_to_idx": self.word_to_idx}
        return json.dumps(mappings, ensure_ascii=False, indent=0)

    def encode(self, words: Sequence[str], length: int) -> Int[Array, " T"]:
        """Ids of `<START> words <END>`, padded with `<NULL>`.

        Args:
            words: tokens; those not in the vocabulary become `<UNK>`.
            length: T; more than `length - 2` words are truncated.

        Returns:
            (T,) int32.
        """
        ids = [self.word_to_idx.get(word, self.word_to_idx[UNK]) for word in words[: length - 2]]
        row = np.zeros(length, dtype=np.int32)
        row[: len(ids) + 2] = [self.word_to_idx[START], *ids, self.word_to_idx[END]]
        return row

    def marked(self, caption: str) -> list[tuple[str, bool]]:
        """Split a caption, in normal form C, into pieces: (text, whether it becomes `<UNK>`).

        Args:
            caption: raw text.

        >>> Vocabulary((*SPECIAL, "a", "dog")).marked("A dog, asleep.")
        [('A dog, ', False), ('asleep', True), ('.', False)]
        """
        caption = unicodedata.normalize("NFC", caption)
        starts = [0]  # offset of each character in lower case: some become two
        for character in caption:
            starts.append(starts[-1] + len(character.lower()))
        pieces: list[tuple[str, bool]] = []
        done = 0
        for match in _words(caption):
            word = match[0].replace("’", "'")
            tokens = word if self.of_characters else [word]
            if any(token not in self.word_to_idx for token in tokens):
                start = bisect_right(starts, match.start()) - 1
                end = bisect_left(starts, match.end())
                pieces += [(caption[done:start], False), (caption[start:end], True)]
                done = end
        return [piece for piece in (*pieces, (caption[done:], False)) if piece[0]]

    def decode(self, ids: Int[Array, " T"]) -> str:
        """The text of a caption, without `<START>`, `<END>` and `<NULL>`.

        Args:
            ids: token ids, up to `<END>`.

        >>> Vocabulary((*SPECIAL, "a", "dog")).decode(np.array([1, 4, 5, 2, 0]))
        'a dog'
        >>> Vocabulary((*SPECIAL, " ", "a", "d", "g", "o")).decode(np.array([5, 4, 6, 8, 7, 2]))
        'a dog'
        """
        tokens: list[str] = []
        for index in ids:
            token = self.idx_to_word[int(index)]
            if token == END:
                break
            if token not in (NULL, START):
                tokens.append(token)
        return ("" if self.of_characters else " ").join(tokens).strip()

    def split(self, text: str) -> list[str]:
        """The tokens of a text as `decode` returns it.

        Args:
            text: of `decode`.
        """
        return list(text) if self.of_characters else text.split()
