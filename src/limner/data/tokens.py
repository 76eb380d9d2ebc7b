"""Options for the conversion of captions to token ids."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from limner.config import Config, Positive
from limner.errors import InputError
from limner.typing import Array
from limner.vocabulary import Vocabulary, characters, tokenize

References = Mapping[str, Mapping[str, Sequence[str]]]
"""{split: {image id: raw captions}}"""

UNITS = {"word": "word", "char": "character"}


class TokenConfig(Config, frozen=True, kw_only=True):
    """How captions become token ids.

    >>> config = TokenConfig(min_count=1, max_words=3)
    >>> config.tokenize("A dog, asleep.")
    ['a', 'dog', 'asleep']
    """

    min_count: Annotated[
        Positive,
        Meta(description="Minimum count of a word in the training captions; others become <UNK>."),
    ] = 5
    max_words: Annotated[
        Positive, Meta(description="Maximum words of a caption; longer captions are truncated.")
    ] = 20
    tokens: Annotated[Literal["word", "char"], Meta(description="Kind of tokens.")] = "word"

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a caption: words or characters."""
        words = tokenize(text)
        return words if self.tokens == "word" else characters(words[: self.max_words])

    def vocabulary(self, references: References) -> Vocabulary:
        """The vocabulary of the training captions.

        Raises:
            InputError: if it would be empty.
        """
        texts = (text for several in references["train"].values() for text in several)
        vocabulary = Vocabulary.build(map(self.tokenize, texts), self.min_count)
        if len(vocabulary) == 4:
            raise InputError(
                f"no {UNITS[self.tokens]} occurs {self.min_count} times in the training captions; "
                "lower `min_count`"
            )
        if self.tokens == "char" and not vocabulary.of_characters:  # a script without spaces
            vocabulary = Vocabulary((*vocabulary.idx_to_word, " "))
        return vocabulary

    def encode(self, references: References, vocabulary: Vocabulary) -> dict[str, Array]:
        """The arrays of captions.h5."""
        longest = max(len(self.tokenize(text)) for text in _texts(references))
        length = (longest if self.tokens == "char" else min(longest, self.max_words)) + 2
        arrays: dict[str, Array] = {}
        for split, images in references.items():
            counts = [len(texts) for texts in images.values()]
            captions = np.zeros((sum(counts), length), np.int32)
            for row, text in enumerate(_texts({split: images})):
                captions[row] = vocabulary.encode(self.tokenize(text), length)
            arrays[f"{split}_captions"] = captions
            arrays[f"{split}_image_idxs"] = np.repeat(
                np.arange(len(counts), dtype=np.int32), counts
            )
        return arrays

    @property
    def facts(self) -> dict[str, Any]:
        """The values for fingerprints of datasets, which have `characters` instead of `tokens`."""
        facts = {name: getattr(self, name) for name in TokenConfig.__struct_fields__}
        facts["characters"] = facts.pop("tokens") == "char"
        return facts


def _texts(references: References) -> Iterator[str]:
    """All captions, in order."""
    for images in references.values():
        for texts in images.values():
            yield from texts
