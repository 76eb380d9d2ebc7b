"""From a model's next-word scores to captions, for many pictures at once.

A decoder knows nothing of the model. It is given a start state, a tuple of arrays whose first axis
is the captions, and a step function `(words (N,), state) -> (scores (N, V), state)`. It may change
the scores. Captions that have ended are not asked for any more.

Shapes: N captions, V vocabulary, L words at most, K beams, A captions still running.
"""

from collections.abc import Callable, Sequence

import numpy as np

from limner.arrays import Array, Float, Int

State = tuple[Array, ...]
Step = Callable[[Array, State], tuple[Array, State]]


def log_softmax(scores: Float[Array, "N V"]) -> Float[Array, "N V"]:
    """`log(exp(scores) / sum exp(scores))`, row by row; a score of -inf stays -inf."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    out: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return out


def greedy(
    step: Step,
    state: State,
    num_captions: int,
    *,
    start: int,
    end: int | None,
    null: int = 0,
    max_length: int = 30,
    forbidden: Sequence[int] = (),
) -> tuple[Int[Array, "N L"], Float[Array, " N"]]:
    """Take the likeliest word at every step.

    Args:
        step: the model's next-word scores for the words just said.
        state: what the first step starts from.
        num_captions: N.
        start: id of the word before the first, `<START>`.
        end: id of the word after which a caption is over, `<END>`; None goes on to the end.
        null: fills the places after `<END>`.
        max_length: L, words at most, `<END>` included.
        forbidden: ids that are never said; probabilities are renormalised without them.

    Returns:
        words (N, L) int32, and each caption's log-probability (N,): the sum over its words,
        `<END>` included.

    >>> def step(words, state):  # after word w says w + 1
    ...     return 5.0 * np.eye(4)[(words + 1) % 4], state
    >>> words, log_prob = greedy(step, (), 1, start=1, end=3, max_length=4)
    >>> words, log_prob.round(3)
    (array([[2, 3, 0, 0]], dtype=int32), array([-0.04]))
    """
    said = np.full((num_captions, max_length), null, dtype=np.int32)
    total = np.zeros(num_captions)
    words = np.full(num_captions, start)
    running = np.arange(num_captions)
    for t in range(max_length):
        scores, state = step(words, state)
        scores[:, list(forbidden)] = -np.inf
        words = scores.argmax(axis=1)
        said[running, t] = words
        # log softmax of the highest score = -log sum exp(scores - highest)
        scores -= scores[np.arange(len(words)), words][:, None]
        total[running] -= np.log(np.exp(scores, out=scores).sum(axis=1))
        if end is None:
            continue
        going = words != end
        if not going.any():
            break
        if not going.all():
            running, words, state = running[going], words[going], _rows(state, going)
    return said, total


def beam_search(
    step: Step,
    state: State,
    num_captions: int,
    *,
    start: int,
    end: int,
    beam_size: int = 5,
    null: int = 0,
    max_length: int = 30,
    forbidden: Sequence[int] = (),
) -> tuple[Int[Array, "N L"], Float[Array, " N"]]:
    """Follow the `beam_size` likeliest beginnings of every caption at once.

    A beginning whose next word `<END>` is among the best candidates is a finished caption, and
    another beginning takes its place. A caption is decided as soon as its best finished one is at
    least as likely as its best beginning: more words can only make that less likely. Where nothing
    has ended after `max_length` words, the likeliest beginning is taken.

    Args:
        step: as for `greedy`; it is called with `beam_size` rows for each caption.
        state: what the first step starts from, one row for each caption.
        num_captions: N.
        start, end, null, max_length, forbidden: as for `greedy`.
        beam_size: K; 1 gives what `greedy` gives.

    Returns:
        As `greedy`: the words (N, L), and their log-probability (N,).

    >>> def step(words, state):  # 1, 2 or 3 after 0; the likeliest beginning does not end best
    ...     table = [[0, 0.5, 0.4, 0.1], [0, 0.4, 0.3, 0.3], [0, 0.1, 0.1, 0.8], [0, 0, 0, 1]]
    ...     return np.log(np.array(table)[words] + 1e-9), state
    >>> words, log_prob = beam_search(step, (), 1, start=0, end=3, beam_size=2, max_length=3)
    >>> words, np.exp(log_prob).round(2)
    (array([[2, 3, 0]], dtype=int32), array([0.32]))
    """
    N, K = num_captions, beam_size
    said = np.full((N, max_length), null, dtype=np.int32)
    best = np.full(N, -np.inf)
    running = np.arange(N)
    words = np.full(N, start)
    total = np.zeros((N, 1))  # of every beam, the likeliest first
    beams = np.full((N, 1, max_length), null, dtype=np.int32)
    for t in range(max_length):
        scores, state = step(words, state)
        scores[:, list(forbidden)] = -np.inf
        highest = scores.max(axis=1, keepdims=True)
        norm = highest[:, 0] + np.log(np.exp(scores - highest).sum(axis=1))
        scores += (total.ravel() - norm).astype(scores.dtype)[:, None]
        A, B = total.shape
        V = scores.shape[1]
        places, values = _top(scores.reshape(A, B * V), min(2 * K, B * V))
        parents, next_words = np.divmod(places, V)
        # finished: <END> among the K best candidates
        ends = next_words == end
        for a, k in zip(
            *np.nonzero(ends[:, :K] & (values[:, :K] > best[running, None])), strict=True
        ):
            caption = running[a]
            if values[a, k] > best[caption]:
                best[caption] = values[a, k]
                said[caption] = beams[a, parents[a, k]]
                said[caption, t] = end
        # the K best others go on
        kept = np.argsort(ends, axis=1, kind="stable")[:, :K]
        total = np.take_along_axis(np.where(ends, -np.inf, values), kept, axis=1)
        parents = np.take_along_axis(parents, kept, axis=1)
        next_words = np.take_along_axis(next_words, kept, axis=1)
        beams = np.take_along_axis(beams, parents[:, :, None], axis=1)
        beams[:, :, t] = next_words
        rows = np.arange(A)[:, None] * B + parents
        going = total[:, 0] > best[running]
        running, total, beams = running[going], total[going], beams[going]
        words, state = next_words[going].ravel(), _rows(state, rows[going].ravel())
        if not len(running):
            break
    unfinished = np.isinf(best[running])
    said[running[unfinished]] = beams[unfinished, 0]
    best[running[unfinished]] = total[unfinished, 0]
    return said, best


def _rows(state: State, rows: Array) -> State:
    """These captions' part of a state."""
    return tuple(array[rows] for array in state)


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
