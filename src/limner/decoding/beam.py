"""Beam search: the likeliest captions among many that are followed at once.

Shapes: N captions, V vocabulary, L words at most, G groups, K beams of a group, A captions still
running, F words that must be said, B beginnings of each caption so far, n captions wanted of each.
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
    """Follow the `beam_size` likeliest beginnings of every caption at once.

    A beginning whose next word `<END>` is among the best candidates is a finished caption, and
    another beginning takes its place. A caption is decided as soon as no beginning can overtake
    the worst of its `n_best` finished ones: more words only make a beginning less likely, and the
    longest caption is divided by the largest penalty. Where too few have ended after `max_length`
    words, the likeliest beginnings are taken.

    Args:
        decoder, features: as for `greedy`; a row of the decoder is a beginning of a caption.
        constraints: on the captions; `end` must be a token.
        beam_size: of all groups; 1 gives what `greedy` gives.
        n_best: n, captions wanted of each, at most beam_size.
        length_penalty: captions are ranked by log-probability / ((5 + words) / 6)^length_penalty
            (Y. Wu et al., "Google's neural machine translation system", 2016); 0 ranks by
            probability, which favours short ones.
        forced: ids of words that every caption must have. Beginnings with none of them, with one,
            with two, ... do not compete: there is a beam of K for each number (C. Hokamp and Q.
            Liu, "Lexically constrained decoding for sequence generation using grid beam search",
            ACL 2017).
        groups: G; each is a beam of beam_size / G, and a word costs it `diversity` for every
            beginning of the groups before it that says the word at the same place. The best
            caption of every group is returned before the second best of any (A. K. Vijayakumar et
            al., "Diverse beam search", AAAI 2018).
        diversity: see `groups`.

    Returns:
        words (N, n, L) int32, the best caption first, and the log-probability of each (N, n); -inf
        where there are no n captions.

    Raises:
        ValueError: unless 1 <= n_best <= beam_size, length_penalty and diversity are 0 or more,
            beam_size is a multiple of groups, and `max_length` has room for the forced words.

    >>> from limner.decoding import BigramDecoder  # the likeliest beginning does not end best
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
    kept = n_best if groups == 1 else K  # two groups may come to one caption
    beams = [_Beams(N, K, kept, constraints, length_penalty, forced) for _ in range(groups)]
    states = [decoder.start(features)] * groups
    for t in range(constraints.max_length):
        said: Array | None = None  # (N, V): how many beginnings of earlier groups say a word here
        for g, group in enumerate(beams):
            if not len(group.running):
                continue
            scores, after = decoder.step(group.words, states[g])
            if groups > 1 and said is None:
                said = np.zeros((N, scores.shape[1]), scores.dtype)
            cost = None if said is None or g == 0 else diversity * said[group.running]
            states[g] = decoder.select(after, group.advance(scores, t, cost))
            if said is not None:
                rows = np.repeat(group.running, group.total.shape[1])
                alive = np.isfinite(group.total.ravel())
                np.add.at(said, (rows[alive], group.words[alive]), 1)
        if not any(len(group.running) for group in beams):
            break
    finished = beams[0].close()
    if groups == 1:
        return finished.words, finished.log_probs
    return finished.in_turns([group.close() for group in beams[1:]], n_best)


Bank = tuple[Bool[Array, "A B V"] | None, int]
"""Candidates that have equally many of the forced words, None for all; and how many they lack."""


class _Beams:
    """The beginnings of every caption that is still running, in one group.

    Attributes:
        running: (A,) which captions they are of.
        words: (A * B,) the last word of each.
        total: (A, B) the log-probability of each.
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
        self._said = np.full((N, 1, L), constraints.null, dtype=np.int32)
        self._met = np.zeros((N, 1, len(forced)), dtype=bool)

    def advance(
        self, scores: Float[Array, "R V"], t: int, cost: Float[Array, "A V"] | None
    ) -> Int[Array, " R2"]:
        """Take the t-th word of every beginning; returns the rows of the state that go on.

        Args:
            scores: of the next word, a row for each beginning; used up.
            t: words said so far.
            cost: what a word costs beside its log-probability; None for nothing.
        """
        A, B = self.total.shape
        V = scores.shape[1]
        self._constraints.apply(scores, self._said.reshape(-1, self._said.shape[2])[:, :t])
        highest = scores.max(axis=1, keepdims=True)
        norm = highest[:, 0] + np.log(np.exp(scores - highest).sum(axis=1))
        scores += (self.total.ravel() - norm).astype(scores.dtype)[:, None]
        scores = scores.reshape(A, B, V)
        if cost is not None:
            scores -= cost[:, None]
        best = [self._best_of(bank, scores, t, cost) for bank in self._banks(scores)]
        values, parents, words = (np.concatenate(part, axis=1) for part in zip(*best, strict=True))

        self.total = values
        self._said = np.take_along_axis(self._said, parents[:, :, None], axis=1)
        self._said[:, :, t] = words
        self._met = np.take_along_axis(self._met, parents[:, :, None], axis=1)
        self._met |= words[:, :, None] == self._forced
        rows = np.arange(A)[:, None] * B + parents
        hope = self.total.max(axis=1) / self._penalty[-1]
        going = hope > self._finished.worst[self.running]
        self.running, self.total = self.running[going], self.total[going]
        self._said, self._met = self._said[going], self._met[going]
        self.words = words[going].ravel()
        kept: Array = rows[going].ravel()
        return kept

    def close(self) -> Hypotheses:
        """The finished captions; where there are too few, the likeliest beginnings."""
        whole = self._met.all(axis=2)
        self._finished.fill(self.running, self._said, np.where(whole, self.total, -np.inf))
        return self._finished

    def _banks(
        self, scores: Float[Array, "A B V"]
    ) -> list[tuple[Bool[Array, "A B V"] | None, int]]:
        """Which candidates have so many forced words, for every number; None for all of them."""
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
        """The K best that go on: their log-probabilities, parents and words; ends are kept."""
        (among, missing), K = bank, self._K
        A, B, V = scores.shape
        if among is not None:
            scores = np.where(among, scores, -np.inf)
        if missing:
            scores[:, :, self._constraints.end] = -np.inf
            if t + missing + 1 >= self._constraints.max_length:  # no room for what is missing
                scores[:] = -np.inf
        places, values = _top(scores.reshape(A, B * V), min(2 * K, B * V))
        parents, words = np.divmod(places, V)
        if cost is not None:
            values = values + cost[np.arange(A)[:, None], words]
        # finished: <END> among the K best candidates
        ends = words == self._constraints.end
        ranks = values / self._penalty[t + 1]
        better = ends[:, :K] & (ranks[:, :K] > self._finished.worst[self.running, None])
        for a, k in np.argwhere(better).tolist():
            caption = self._said[a, parents[a, k]].copy()
            caption[t] = self._constraints.end
            image = int(self.running[a])
            self._finished.add(image, caption, float(values[a, k]), float(ranks[a, k]))
        # the K best others go on
        kept = np.argsort(ends, axis=1, kind="stable")[:, :K]
        return (
            np.take_along_axis(np.where(ends, -np.inf, values), kept, axis=1),
            np.take_along_axis(parents, kept, axis=1),
            np.take_along_axis(words, kept, axis=1),
        )


def _top(scores: Float[Array, "A C"], k: int) -> tuple[Int[Array, "A k"], Float[Array, "A k"]]:
    """The k highest of every row, highest first, the first of equals first; scores are used up.

    A search for the highest, k times over, is faster than a partition or a sort up to k = 100 and
    more.
    """
    places = np.empty((len(scores), k), dtype=np.intp)
    values = np.empty((len(scores), k), dtype=scores.dtype)
    rows = np.arange(len(scores))
    for i in range(k):
        places[:, i] = scores.argmax(axis=1)
        values[:, i] = scores[rows, places[:, i]]
        scores[rows, places[:, i]] = -np.inf
    return places, values
