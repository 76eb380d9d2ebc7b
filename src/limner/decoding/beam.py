"""Beam search, with required words and with diverse groups.

Shapes: N images, V vocabulary, L maximum length, G groups, K beams per group, A images with open
beams, F required words, B prefixes per image, n captions returned per image.
"""

from collections.abc import Sequence

import numpy as np

from limner.decoding.constraints import Constraints
from limner.decoding.decoder import Decoder
from limner.decoding.hypotheses import Hypotheses
from limner.typing import Array, Bool, Float, Int


def beam_search(
    decoder: Decoder,
    features: Float[Array, "N *L D"],
    constraints: Constraints,
    *,
    beam_size: int = 5,
    n_best: int = 1,
    length_penalty: float = 0.0,
    forced: Sequence[int] = (),
    groups: int = 1,
    diversity: float = 0.5,
) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
    """Search for the most likely captions, keeping `beam_size` prefixes per image.

    A prefix for which `<END>` is among the best candidates becomes a finished caption, and another
    prefix replaces it. The search for an image stops as soon as no prefix can exceed the worst of
    its `n_best` finished captions: further words only lower the probability, and the longest
    caption has the largest length penalty. If too few captions are finished after `max_length`
    words, the most likely prefixes are returned.

    Args:
        decoder, features: as for `greedy`; each row of the decoder is a prefix.
        constraints: on the captions; `end` must be a token.
        beam_size: number of beams of all groups; 1 gives the same as `greedy`.
        n_best: n, captions returned per image, at most beam_size.
        length_penalty: captions are ranked by log-probability / ((5 + words) / 6)^length_penalty
            (Y. Wu et al., "Google's neural machine translation system", 2016); 0 ranks by
            probability, which favors short captions.
        forced: ids of words that every caption must contain. Prefixes with 0, 1, 2, ... of them do
            not compete: there are K beams for each number (C. Hokamp and Q. Liu, "Lexically
            constrained decoding for sequence generation using grid beam search", ACL 2017).
        groups: G; each has beam_size / G beams. The log-probability of a word is reduced by
            `diversity` for every prefix of an earlier group with this word at the same position.
            The best captions of all groups precede the second best ones (A. K. Vijayakumar et
            al., "Diverse beam search", AAAI 2018).
        diversity: see `groups`.

    Returns:
        tokens (N, n, L) int32, the best caption first, and their log-probabilities (N, n), -inf
        if there are fewer than n captions.

    Raises:
        ValueError: unless 1 <= n_best <= beam_size, length_penalty and diversity are 0 or more,
            beam_size is a multiple of groups, and `max_length` has room for the forced words.

    >>> from limner.decoding import BigramDecoder  # the best caption has not the best prefix
    >>> table = [[0, 0.5, 0.4, 0.1], [0, 0.4, 0.25, 0.35], [0, 0.1, 0.1, 0.8], [0, 0, 0, 1]]
    >>> decoder, image = BigramDecoder(np.log(np.array(table) + 1e-9)), np.zeros((1, 0))
    >>> constraints = Constraints(start=0, end=3, max_length=3)
    >>> tokens, log_prob = beam_search(decoder, image, constraints, beam_size=2)
    >>> tokens, np.exp(log_prob).round(2)
    (array([[[2, 3, 0]]], dtype=int32), array([[0.32]]))
    >>> beam_search(decoder, image, constraints, beam_size=2, forced=[1])[0]
    array([[[1, 3, 0]]], dtype=int32)
    """
    if constraints.end is None or not 1 <= n_best <= beam_size or length_penalty < 0:
        raise ValueError(
            f"end {constraints.end}, n_best {n_best}, beam_size {beam_size}, length_penalty "
            f"{length_penalty}: expected an end, 1 <= n_best <= beam_size, length_penalty >= 0"
        )
    if groups < 1 or beam_size % groups or diversity < 0:
        raise ValueError(
            f"beam_size {beam_size}, groups {groups}, diversity {diversity}: expected a multiple "
            "of groups, and diversity >= 0"
        )
    if len(forced) >= constraints.max_length:
        raise ValueError(
            f"{len(forced)} forced words and an end: more than max_length {constraints.max_length}"
        )
    N, K = len(features), beam_size // groups
    kept = n_best if groups == 1 else K  # groups may find the same caption
    beams = [_Beams(N, K, kept, constraints, length_penalty, forced) for _ in range(groups)]
    states = [decoder.start(features)] * groups
    for t in range(constraints.max_length):
        used: Array | None = None  # (N, V): prefixes of earlier groups with each word at t
        for g, group in enumerate(beams):
            if not len(group.running):
                continue
            scores, after = decoder.step(group.words, states[g])
            if groups > 1 and used is None:
                used = np.zeros((N, scores.shape[1]), scores.dtype)
            cost = None if used is None or g == 0 else diversity * used[group.running]
            states[g] = decoder.select(after, group.advance(scores, t, cost))
            if used is not None:
                rows = np.repeat(group.running, group.total.shape[1])
                alive = np.isfinite(group.total.ravel())
                np.add.at(used, (rows[alive], group.words[alive]), 1)
        if not any(len(group.running) for group in beams):
            break
    finished = beams[0].close()
    if groups == 1:
        return finished.words, finished.log_probs
    return finished.interleave([group.close() for group in beams[1:]], n_best)


Bank = tuple[Bool[Array, "A B V"] | None, int]
"""A mask of candidates with equally many required words, None for all; the number they lack."""


class _Beams:
    """The prefixes of one group, of all images with unfinished beams.

    Attributes:
        running: (A,) indices of these images.
        words: (A * B,) the last word of each prefix.
        total: (A, B) the log-probability of each prefix.
    """

    def __init__(
        self,
        N: int,
        K: int,
        n: int,
        constraints: Constraints,
        length_penalty: float,
        forced: Sequence[int],
    ) -> None:
        L = constraints.max_length
        self._K, self._constraints = K, constraints
        self._penalty = ((5 + np.arange(L + 1)) / 6) ** length_penalty
        self._finished = Hypotheses(N, n, constraints)
        self._forced = np.array(forced, dtype=np.intp)
        self.running = np.arange(N)
        self.words = np.full(N, constraints.start)
        self.total = np.zeros((N, 1))
        self._prefixes = np.full((N, 1, L), constraints.null, dtype=np.int32)
        self._met = np.zeros((N, 1, len(forced)), dtype=bool)

    def advance(
        self, scores: Float[Array, "R V"], t: int, cost: Float[Array, "A V"] | None
    ) -> Int[Array, " R2"]:
        """Extend the prefixes by one word; returns the row of the decoder's state of each new one.

        Args:
            scores: logits of the next word for each prefix; overwritten.
            t: length of the prefixes.
            cost: subtracted from the log-probability of each word; None for 0.
        """
        A, B = self.total.shape
        V = scores.shape[1]
        self._constraints.apply(scores, self._prefixes.reshape(-1, self._prefixes.shape[2])[:, :t])
        highest = scores.max(axis=1, keepdims=True)
        norm = highest[:, 0] + np.log(np.exp(scores - highest).sum(axis=1))
        scores += (self.total.ravel() - norm).astype(scores.dtype)[:, None]
        scores = scores.reshape(A, B, V)
        if cost is not None:
            scores -= cost[:, None]
        best = [self._best_of(bank, scores, t, cost) for bank in self._banks(scores)]
        values, parents, words = (np.concatenate(part, axis=1) for part in zip(*best, strict=True))

        self.total = values
        self._prefixes = np.take_along_axis(self._prefixes, parents[:, :, None], axis=1)
        self._prefixes[:, :, t] = words
        self._met = np.take_along_axis(self._met, parents[:, :, None], axis=1)
        self._met |= words[:, :, None] == self._forced
        rows = np.arange(A)[:, None] * B + parents
        bound = self.total.max(axis=1) / self._penalty[-1]
        going = bound > self._finished.worst[self.running]
        self.running, self.total = self.running[going], self.total[going]
        self._prefixes, self._met = self._prefixes[going], self._met[going]
        self.words = words[going].ravel()
        kept: Array = rows[going].ravel()
        return kept

    def close(self) -> Hypotheses:
        """The finished captions, filled up with the most likely prefixes."""
        whole = self._met.all(axis=2)
        self._finished.fill(self.running, self._prefixes, np.where(whole, self.total, -np.inf))
        return self._finished

    def _banks(
        self, scores: Float[Array, "A B V"]
    ) -> list[tuple[Bool[Array, "A B V"] | None, int]]:
        """The candidates by their number of required words."""
        F = len(self._forced)
        if not F:
            return [(None, 0)]
        number = np.repeat(self._met.sum(axis=2)[:, :, None], scores.shape[2], axis=2)
        number[:, :, self._forced] += ~self._met
        return [(number == f, F - f) for f in range(F + 1)]

    def _best_of(
        self,
        bank: Bank,
        scores: Float[Array, "A B V"],
        t: int,
        cost: Float[Array, "A V"] | None,
    ) -> tuple[Float[Array, "A K"], Int[Array, "A K"], Int[Array, "A K"]]:
        """Log-probabilities, parents and words of the K best; finished captions are stored."""
        (among, missing), K = bank, self._K
        A, B, V = scores.shape
        if among is not None:
            scores = np.where(among, scores, -np.inf)
        if missing:
            scores[:, :, self._constraints.end] = -np.inf
            if (
                t + missing + 1 >= self._constraints.max_length
            ):  # not enough room for the missing words
                scores[:] = -np.inf
        indices, values = _top(scores.reshape(A, B * V), min(2 * K, B * V))
        parents, words = np.divmod(indices, V)
        if cost is not None:
            values = values + cost[np.arange(A)[:, None], words]
        # finished: <END> is among the K best candidates
        ends = words == self._constraints.end
        ranks = values / self._penalty[t + 1]
        better = ends[:, :K] & (ranks[:, :K] > self._finished.worst[self.running, None])
        for a, k in np.argwhere(better).tolist():
            caption = self._prefixes[a, parents[a, k]].copy()
            caption[t] = self._constraints.end
            image = int(self.running[a])
            self._finished.add(image, caption, float(values[a, k]), float(ranks[a, k]))
        # the K best others are kept
        kept = np.argsort(ends, axis=1, kind="stable")[:, :K]
        return (
            np.take_along_axis(np.where(ends, -np.inf, values), kept, axis=1),
            np.take_along_axis(parents, kept, axis=1),
            np.take_along_axis(words, kept, axis=1),
        )


def _top(scores: Float[Array, "A C"], k: int) -> tuple[Int[Array, "A k"], Float[Array, "A k"]]:
    """Indices and values of the k highest of each row, in order; `scores` is overwritten.

    Repeating argmax k times is faster than a partition or a sort up to k = 100 and more.
    """
    indices = np.empty((len(scores), k), dtype=np.intp)
    values = np.empty((len(scores), k), dtype=scores.dtype)
    rows = np.arange(len(scores))
    for i in range(k):
        indices[:, i] = scores.argmax(axis=1)
        values[:, i] = scores[rows, indices[:, i]]
        scores[rows, indices[:, i]] = -np.inf
    return indices, values
