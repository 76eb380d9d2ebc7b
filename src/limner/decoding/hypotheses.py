"""The finished captions of a search, sorted.

Shapes: N images, n captions per image, L maximum length, A images with open beams, B prefixes.
"""

from collections.abc import Sequence

import numpy as np

from limner.decoding.constraints import Constraints
from limner.typing import Array, Float, Int


class Hypotheses:
    """The n best finished captions of each image, best first.

    Args:
        N: number of images.
        n: captions kept per image.
        constraints: of the search.

    Attributes:
        words: (N, n, L).
        log_probs: (N, n), -inf without a caption.
        worst: (N,) score of the n-th caption, -inf while there are fewer.

    >>> finished = Hypotheses(1, 2, Constraints(start=0, end=3, max_length=2))
    >>> for word, log_prob in (1, -2.0), (2, -1.0), (1, -3.0):
    ...     finished.add(0, np.array([word, 3]), log_prob, log_prob)
    >>> finished.words[0].tolist(), finished.worst
    ([[2, 3], [1, 3]], array([-2.]))
    """

    def __init__(self, N: int, n: int, constraints: Constraints) -> None:
        self.words = np.full((N, n, constraints.max_length), constraints.null, dtype=np.int32)
        self.log_probs = np.full((N, n), -np.inf)
        self.worst = np.full(N, -np.inf)
        self._null = constraints.null
        self._ranks = np.full((N, n), -np.inf)

    def add(self, image: int, caption: Int[Array, " L"], log_prob: float, rank: float) -> None:
        """Insert a caption at its rank, if it is better than the worst."""
        ranks = self._ranks[image]
        i = int((ranks >= rank).sum())
        if i == len(ranks):
            return
        for kept, new in (
            (self.words[image], caption),
            (self.log_probs[image], log_prob),
            (ranks, rank),
        ):
            kept[i + 1 :] = kept[i:-1].copy()
            kept[i] = new
        self.worst[image] = ranks[-1]

    def fill(
        self, images: Int[Array, " A"], prefixes: Int[Array, "A B L"], total: Float[Array, "A B"]
    ) -> None:
        """Add the most likely prefixes for images with too few captions."""
        for image, captions, log_probs in zip(images, prefixes, total, strict=True):
            empty = np.flatnonzero(np.isneginf(self._ranks[image]))
            best = np.argsort(-log_probs, kind="stable")[: len(empty)]
            best = best[np.isfinite(log_probs[best])]
            self.words[image, empty[: len(best)]] = captions[best]
            self.log_probs[image, empty[: len(best)]] = log_probs[best]

    def interleave(
        self, others: Sequence["Hypotheses"], n: int
    ) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
        """n distinct captions per image from several searches: the best of each, then the second.

        They are sorted by score.
        """
        searches = [self, *others]
        N, kept, L = self.words.shape
        words = np.full((N, n, L), self._null, dtype=np.int32)
        log_probs = np.full((N, n), -np.inf)
        for image in range(N):
            chosen: dict[bytes, tuple[float, float, Array]] = {}
            for i in range(kept):
                for search in searches:
                    caption, log_prob = (
                        search.words[image, i],
                        search.log_probs[image, i],
                    )
                    if len(chosen) < n and np.isfinite(log_prob):
                        facts = search._ranks[image, i], log_prob, caption
                        chosen.setdefault(caption.tobytes(), facts)
            best = sorted(chosen.values(), key=lambda facts: facts[:2], reverse=True)
            for i, (_, log_prob, caption) in enumerate(best):
                words[image, i], log_probs[image, i] = caption, log_prob
        return words, log_probs
