"""Constraints on captions.

Shapes: N captions, R rows (captions or prefixes), V vocabulary, t words so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from limner.typing import Array, Float, Int


@dataclass(frozen=True)
class Constraints:
    """The special tokens of captions, and which words may follow.

    Attributes:
        start: id of `<START>`, the input before the first word.
        end: id of `<END>`; None generates `max_length` tokens.
        null: id of the padding after `<END>`.
        max_length: L, maximum length, including `<END>`.
        min_length: minimum length before `<END>`.
        forbidden: ids that are not generated.
        no_repeat_ngram: length of n-grams that must not repeat; 0 allows all.

    Raises:
        ValueError: if the lengths are not 0 <= min_length < max_length.
    """

    start: int
    end: int | None
    null: int = 0
    max_length: int = 30
    min_length: int = 0
    forbidden: Sequence[int] = ()
    no_repeat_ngram: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.min_length < self.max_length:
            raise ValueError(
                f"`min_length` {self.min_length}, `max_length` {self.max_length}: "
                "expected 0 <= min_length < max_length"
            )
        if self.no_repeat_ngram < 0:
            raise ValueError(f"`no_repeat_ngram` {self.no_repeat_ngram}: expected 0 or more")

    def apply(self, scores: Float[Array, "R V"], prefixes: Int[Array, "R t"]) -> None:
        """Set the scores of words that must not come next to -inf, in place.

        If no word is left, only `<END>` is allowed.

        Args:
            scores: logits of the next word.
            prefixes: the words so far.

        >>> scores = np.zeros((1, 5))
        >>> constraints = Constraints(start=1, end=2, forbidden=[0, 1], no_repeat_ngram=2)
        >>> constraints.apply(scores, np.array([[3, 4, 3]]))
        >>> scores
        array([[-inf, -inf,   0.,   0., -inf]])
        """
        scores[:, list(self.forbidden)] = -np.inf
        if self.end is None:
            return
        if prefixes.shape[1] < self.min_length:
            scores[:, self.end] = -np.inf
        if 0 < self.no_repeat_ngram <= prefixes.shape[1]:
            rows, words = self._repeated(prefixes)
            scores[rows, words] = -np.inf
            scores[np.isneginf(scores).all(axis=1), self.end] = 0

    def _repeated(self, prefixes: Int[Array, "R t"]) -> tuple[Int[Array, " K"], Int[Array, " K"]]:
        """Rows and words that would complete an n-gram for the second time."""
        n, t = self.no_repeat_ngram, prefixes.shape[1]
        ngrams = sliding_window_view(prefixes, n, axis=1)
        again = (ngrams[:, :, :-1] == prefixes[:, None, t - n + 1 :]).all(axis=2)
        rows, starts = np.nonzero(again)
        return rows, ngrams[rows, starts, -1]


def log_softmax(scores: Float[Array, "N V"]) -> Float[Array, "N V"]:
    """`log(exp(scores) / sum exp(scores))`, row by row; a score of -inf stays -inf."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    out: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return out
