"""Beam search: the likeliest captions among many that are followed at once.

Shapes: N captions, V vocabulary, L words at most, K beams, A captions still running, B beams of
each so far, n captions wanted of each.
"""

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding.limits import Limits, State, Step, rows_of


def beam_search(
    step: Step,
    state: State,
    num_captions: int,
    limits: Limits,
    *,
    beam_size: int = 5,
    n_best: int = 1,
    length_penalty: float = 0.0,
) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
    """Follow the `beam_size` likeliest beginnings of every caption at once.

    A beginning whose next word `<END>` is among the best candidates is a finished caption, and
    another beginning takes its place. A caption is decided as soon as no beginning can overtake
    the worst of its `n_best` finished ones: more words only make a beginning less likely, and the
    longest caption is divided by the largest penalty. Where too few have ended after `max_length`
    words, the likeliest beginnings are taken.

    Args:
        step: as for `greedy`; it is called with up to `beam_size` rows for each caption.
        state: what the first step starts from, one row for each caption.
        num_captions: N.
        limits: what may be said; `end` must be a word.
        beam_size: K; 1 gives what `greedy` gives.
        n_best: n, captions wanted of each, at most K.
        length_penalty: captions are ranked by log-probability / ((5 + words) / 6)^length_penalty
            (Y. Wu et al., "Google's neural machine translation system", 2016); 0 ranks by
            probability, which favours short ones.

    Returns:
        words (N, n, L) int32, the best caption first, and the log-probability of each (N, n); -inf
        where there are no n captions.

    Raises:
        ValueError: unless 1 <= n_best <= beam_size and length_penalty >= 0.

    >>> def step(words, state):  # 1, 2 or 3 after 0; the likeliest beginning does not end best
    ...     table = [[0, 0.5, 0.4, 0.1], [0, 0.4, 0.3, 0.3], [0, 0.1, 0.1, 0.8], [0, 0, 0, 1]]
    ...     return np.log(np.array(table)[words] + 1e-9), state
    >>> limits = Limits(start=0, end=3, max_length=3)
    >>> words, log_prob = beam_search(step, (), 1, limits, beam_size=2)
    >>> words, np.exp(log_prob).round(2)
    (array([[[2, 3, 0]]], dtype=int32), array([[0.32]]))
    """
    if limits.end is None or not 1 <= n_best <= beam_size or length_penalty < 0:
        raise ValueError(
            f"end {limits.end}, n_best {n_best}, beam_size {beam_size}, length_penalty "
            f"{length_penalty}: expected an end, 1 <= n_best <= beam_size, length_penalty >= 0"
        )
    N, K, L = num_captions, beam_size, limits.max_length
    penalty = ((5 + np.arange(L + 1)) / 6) ** length_penalty
    finished = _Finished(N, n_best, limits)
    running = np.arange(N)
    words = np.full(N, limits.start)
    total = np.zeros((N, 1))  # of every beam, the likeliest first
    beams = np.full((N, 1, L), limits.null, dtype=np.int32)
    for t in range(L):
        scores, state = step(words, state)
        limits.apply(scores, beams.reshape(-1, L)[:, :t])
        highest = scores.max(axis=1, keepdims=True)
        norm = highest[:, 0] + np.log(np.exp(scores - highest).sum(axis=1))
        scores += (total.ravel() - norm).astype(scores.dtype)[:, None]
        A, B = total.shape
        V = scores.shape[1]
        places, values = _top(scores.reshape(A, B * V), min(2 * K, B * V))
        parents, next_words = np.divmod(places, V)
        # finished: <END> among the K best candidates
        ends = next_words == limits.end
        ranks = values / penalty[t + 1]
        better = ends[:, :K] & (ranks[:, :K] > finished.worst[running, None])
        for a, k in np.argwhere(better).tolist():
            caption = beams[a, parents[a, k]].copy()
            caption[t] = limits.end
            finished.add(int(running[a]), caption, float(values[a, k]), float(ranks[a, k]))
        # the K best others go on
        kept = np.argsort(ends, axis=1, kind="stable")[:, :K]
        total = np.take_along_axis(np.where(ends, -np.inf, values), kept, axis=1)
        parents = np.take_along_axis(parents, kept, axis=1)
        next_words = np.take_along_axis(next_words, kept, axis=1)
        beams = np.take_along_axis(beams, parents[:, :, None], axis=1)
        beams[:, :, t] = next_words
        rows = np.arange(A)[:, None] * B + parents
        going = total[:, 0] / penalty[L] > finished.worst[running]
        running, total, beams = running[going], total[going], beams[going]
        words, state = next_words[going].ravel(), rows_of(state, rows[going].ravel())
        if not len(running):
            break
    finished.fill(running, beams, total)
    return finished.words, finished.log_probs


class _Finished:
    """The n best finished captions of each picture, best first."""

    def __init__(self, N: int, n: int, limits: Limits) -> None:
        self.words = np.full((N, n, limits.max_length), limits.null, dtype=np.int32)
        self.log_probs = np.full((N, n), -np.inf)
        self.worst = np.full(N, -np.inf)  # rank of the last of them
        self._ranks = np.full((N, n), -np.inf)

    def add(self, picture: int, caption: Int[Array, " L"], log_prob: float, rank: float) -> None:
        """Take a caption in, if it is better than the last."""
        ranks = self._ranks[picture]
        place = int((ranks >= rank).sum())
        if place == len(ranks):
            return
        for kept, new in (
            (self.words[picture], caption),
            (self.log_probs[picture], log_prob),
            (ranks, rank),
        ):
            kept[place + 1 :] = kept[place:-1].copy()
            kept[place] = new
        self.worst[picture] = ranks[-1]

    def fill(
        self, pictures: Int[Array, " A"], beams: Int[Array, "A K L"], total: Float[Array, "A K"]
    ) -> None:
        """Put unfinished captions where too few are finished."""
        for picture, captions, log_probs in zip(pictures, beams, total, strict=True):
            empty = np.flatnonzero(np.isneginf(self._ranks[picture]))[: len(captions)]
            self.words[picture, empty] = captions[: len(empty)]
            self.log_probs[picture, empty] = log_probs[: len(empty)]


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
