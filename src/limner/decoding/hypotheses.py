"""The captions that a search has finished, the best of them first.

Shapes: N images, n captions of each, L words at most, A images still running, B beginnings.
"""

from collections.abc import Sequence

import numpy as np

from limner.decoding.constraints import Constraints
from limner.typing import Array, Float, Int


class Hypotheses:
    """The n best finished captions of each image, best first.

    Args:
        N: images.
        n: captions kept of each.
        constraints: of the search.

    Attributes:
        words: (N, n, L).
        log_probs: (N, n); -inf where there is no caption.
        worst: (N,) the rank of the last of them; -inf as long as there are fewer than n.

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
        """Take a caption in, if it is better than the last."""
        ranks = self._ranks[image]
        place = int((ranks >= rank).sum())
        if place == len(ranks):
            return
        for kept, new in (
            (self.words[image], caption),
            (self.log_probs[image], log_prob),
            (ranks, rank),
        ):
            kept[place + 1 :] = kept[place:-1].copy()
            kept[place] = new
        self.worst[image] = ranks[-1]

    def fill(
        self, images: Int[Array, " A"], said: Int[Array, "A B L"], total: Float[Array, "A B"]
    ) -> None:
        """Put the likeliest beginnings where too few captions are finished."""
        for image, captions, log_probs in zip(images, said, total, strict=True):
            empty = np.flatnonzero(np.isneginf(self._ranks[image]))
            best = np.argsort(-log_probs, kind="stable")[: len(empty)]
            best = best[np.isfinite(log_probs[best])]
            self.words[image, empty[: len(best)]] = captions[best]
            self.log_probs[image, empty[: len(best)]] = log_probs[best]

    def in_turns(
        self, others: Sequence["Hypotheses"], n: int
    ) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
        """n captions of each image from several searches: every one's best, then the next.

        None comes twice; those chosen are sorted by rank.
        """
        searches = [self, *others]
        N, kept, L = self.words.shape
        words = np.full((N, n, L), self._null, dtype=np.int32)
        log_probs = np.full((N, n), -np.inf)
        for image in range(N):
            chosen: dict[bytes, tuple[float, float, Array]] = {}
            for place in range(kept):
                for search in searches:
                    caption, log_prob = (
                        search.words[image, place],
                        search.log_probs[image, place],
                    )
                    if len(chosen) < n and np.isfinite(log_prob):
                        facts = search._ranks[image, place], log_prob, caption
                        chosen.setdefault(caption.tobytes(), facts)
            best = sorted(chosen.values(), key=lambda facts: facts[:2], reverse=True)
            for place, (_, log_prob, caption) in enumerate(best):
                words[image, place], log_probs[image, place] = caption, log_prob
        return words, log_probs
