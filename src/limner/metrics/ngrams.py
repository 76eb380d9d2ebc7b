"""The n-grams of many sentences, as numbers: which, where, and how often.

All sentences are laid end to end. An n-gram is its first n-1 words and one word more, so its number
comes from the number of the (n-1)-gram that begins at the same place and the word that follows:
equal n-grams have equal numbers, whatever the length, and there is no n-gram across two sentences.

Shapes: S sentences, L tokens in all, G distinct n-grams, M pairs of a sentence and an n-gram in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.typing import Array, Int

Tokens = Sequence[str]


@dataclass(frozen=True)
class Ngrams:
    """The n-grams of one length in a list of sentences.

    Attributes:
        sentence: (M,) a sentence, ascending,
        gram: (M,) an n-gram in it, ascending within the sentence,
        count: (M,) and how often it is there.
        texts: the G n-grams, their words joined by spaces.
    """

    sentence: Int[Array, " M"]
    gram: Int[Array, " M"]
    count: Int[Array, " M"]
    texts: list[str]

    def keys(self, owner: Int[Array, " S"]) -> Int[Array, " M"]:
        """A number for each pair of an n-gram and what owns its sentence, such as an image."""
        keys: Array = owner[self.sentence] * len(self.texts) + self.gram
        return keys


def count_ngrams(sentences: Sequence[Tokens], max_n: int = 4) -> list[Ngrams]:
    """Count the n-grams of lengths 1 to max_n.

    >>> words, pairs = count_ngrams([["a", "dog", "a", "dog"], ["a", "cat"]], max_n=2)
    >>> pairs.texts
    ['a dog', 'dog a', 'a cat']
    >>> list(zip(pairs.sentence.tolist(), pairs.gram.tolist(), pairs.count.tolist()))
    [(0, 0, 2), (0, 1, 1), (1, 2, 1)]
    """
    tokens = [token for sentence in sentences for token in sentence]
    number = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    word = np.array([number[token] for token in tokens], dtype=np.int64)
    lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
    sentence = np.repeat(np.arange(len(sentences)), lengths)
    ends = np.repeat(np.cumsum(lengths), lengths)

    gram = word
    start = np.arange(len(tokens))
    result = []
    for n in range(1, max_n + 1):
        if n > 1:
            whole = start + n <= ends[start]
            gram, start = gram[whole], start[whole]
            gram = gram * len(number) + word[start + n - 1]
        first, gram = _numbered(gram)
        rows, count = np.unique(sentence[start] * len(first) + gram, return_counts=True)
        places = start[first].tolist()
        texts = [" ".join(tokens[place : place + n]) for place in places]
        result.append(Ngrams(*np.divmod(rows, max(len(first), 1)), count, texts))
    return result


def _numbered(values: Int[Array, " K"]) -> tuple[Int[Array, " G"], Int[Array, " K"]]:
    """Numbers 0 to G-1 for equal values: where each is first, and the number of every value."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse]


def lookup(keys: Int[Array, " K"], table: Int[Array, " M"], values: Array) -> Array:
    """The values (M,) at the keys, by an ascending table of keys; 0 where a key is not in it.

    >>> lookup(np.array([5, 6]), np.array([2, 5]), np.array([0.1, 0.2]))
    array([0.2, 0. ])
    """
    if not len(table):
        return np.zeros(len(keys), values.dtype)
    place = np.searchsorted(table, keys).clip(max=len(table) - 1)
    return np.where(table[place] == keys, values[place], 0)
