"""Counts of n-grams, represented by integers.

The sentences are concatenated. The number of an n-gram follows from the number of the (n-1)-gram at
the same position and the next word, so that equal n-grams have equal numbers; n-grams across two
sentences are excluded.

Shapes: S sentences, L tokens, G distinct n-grams, M pairs of a sentence and an n-gram in it.
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
        sentence: (M,) index of the sentence, ascending.
        gram: (M,) number of an n-gram in it, ascending within the sentence.
        count: (M,) its count in the sentence.
        texts: the G n-grams, with words joined by spaces.
    """

    sentence: Int[Array, " M"]
    gram: Int[Array, " M"]
    count: Int[Array, " M"]
    texts: list[str]

    def keys(self, owner: Int[Array, " S"]) -> Int[Array, " M"]:
        """A number for each pair of an n-gram and the owner of its sentence, such as an image."""
        keys: Array = owner[self.sentence] * len(self.texts) + self.gram
        return keys


def count_ngrams(sentences: Sequence[Tokens], max_n: int = 4) -> list[Ngrams]:
    """Count the n-grams of lengths 1 to max_n.

    Args:
        sentences: tokenized sentences.
        max_n: maximum length.

    Returns:
        The n-grams of each length.

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
        positions = start[first].tolist()
        texts = [" ".join(tokens[i : i + n]) for i in positions]
        result.append(Ngrams(*np.divmod(rows, max(len(first), 1)), count, texts))
    return result


def _numbered(values: Int[Array, " K"]) -> tuple[Int[Array, " G"], Int[Array, " K"]]:
    """Number equal values from 0 to G-1: first index of each number, and number of each value."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse]


def lookup(keys: Int[Array, " K"], table: Int[Array, " M"], values: Array) -> Array:
    """Look up values by keys in a table with ascending keys; 0 for missing keys.

    Args:
        keys: (K,) keys to look up.
        table: (M,) ascending keys.
        values: (M,) their values.

    >>> lookup(np.array([5, 6]), np.array([2, 5]), np.array([0.1, 0.2]))
    array([0.2, 0. ])
    """
    if not len(table):
        return np.zeros(len(keys), values.dtype)
    index = np.searchsorted(table, keys).clip(max=len(table) - 1)
    return np.where(table[index] == keys, values[index], 0)
