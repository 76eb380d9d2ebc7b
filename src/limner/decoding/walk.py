"""Captions one word after the other: the likeliest, or one drawn by chance.

Shapes: N captions, V vocabulary, L words at most, A captions still running.
"""

from collections.abc import Callable

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding.limits import Limits, State, Step, rows_of


def greedy(
    step: Step, state: State, num_captions: int, limits: Limits
) -> tuple[Int[Array, "N L"], Float[Array, " N"]]:
    """Take the likeliest word at every step.

    Args:
        step: the model's next-word scores for the words just said.
        state: what the first step starts from.
        num_captions: N.
        limits: what may be said; probabilities are renormalised to it.

    Returns:
        words (N, L) int32, and each caption's log-probability (N,): the sum over its words,
        `<END>` included.

    >>> def step(words, state):  # after word w says w + 1
    ...     return 5.0 * np.eye(4)[(words + 1) % 4], state
    >>> words, log_prob = greedy(step, (), 1, Limits(start=1, end=3, max_length=4))
    >>> words, log_prob.round(3)
    (array([[2, 3, 0, 0]], dtype=int32), array([-0.04]))
    """
    return _walk(step, state, num_captions, limits, lambda scores: scores.argmax(axis=1))


def sample(
    step: Step,
    state: State,
    num_captions: int,
    limits: Limits,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
) -> tuple[Int[Array, "N L"], Float[Array, " N"]]:
    """Draw every word by its probability.

    Args:
        step, state, num_captions, limits: as for `greedy`.
        rng: draws; the same one says the same again.
        temperature: scores are divided by it: below 1 the likely words gain, above 1 the others.
        top_k: only so many of the likeliest words are drawn from.
        top_p: only the likeliest words that have this probability together are drawn from (nucleus
            sampling: A. Holtzman et al., "The curious case of neural text degeneration", 2020).

    Returns:
        As `greedy`. The log-probability is the model's, whatever the temperature.

    Raises:
        ValueError: unless temperature > 0, top_k >= 1 and 0 < top_p <= 1.

    >>> def step(words, state):
    ...     return np.log([[0.25, 0.25, 0.5]]), state
    >>> limits = Limits(start=0, end=None, max_length=1000)
    >>> words, _ = sample(step, (), 1, limits, np.random.default_rng(0))
    >>> (np.bincount(words[0]) / 1000).round(1)
    array([0.3, 0.3, 0.5])
    """
    if temperature <= 0 or (top_k is not None and top_k < 1) or not 0 < top_p <= 1:
        raise ValueError(
            f"temperature {temperature}, top_k {top_k}, top_p {top_p}: "
            "expected temperature > 0, top_k >= 1, 0 < top_p <= 1"
        )

    def choose(scores: Array) -> Array:
        # the highest of scores to which Gumbel noise is added is drawn by the softmax
        kept = _nucleus(_highest(scores / temperature, top_k), top_p)
        drawn: Array = (kept + rng.gumbel(size=kept.shape)).argmax(axis=1)
        return drawn

    return _walk(step, state, num_captions, limits, choose)


def _walk(
    step: Step,
    state: State,
    num_captions: int,
    limits: Limits,
    choose: Callable[[Array], Array],
) -> tuple[Int[Array, "N L"], Float[Array, " N"]]:
    said = np.full((num_captions, limits.max_length), limits.null, dtype=np.int32)
    total = np.zeros(num_captions)
    words = np.full(num_captions, limits.start)
    running = np.arange(num_captions)
    for t in range(limits.max_length):
        scores, state = step(words, state)
        limits.apply(scores, said[running, :t])
        words = choose(scores)
        said[running, t] = words
        # log softmax(scores)[word] = scores[word] - highest - log sum exp(scores - highest)
        scores -= scores.max(axis=1, keepdims=True)
        total[running] += scores[np.arange(len(words)), words]
        total[running] -= np.log(np.exp(scores, out=scores).sum(axis=1))
        if limits.end is None:
            continue
        going = words != limits.end
        if not going.any():
            break
        if not going.all():
            running, words, state = running[going], words[going], rows_of(state, going)
    return said, total


def _highest(scores: Float[Array, "A V"], k: int | None) -> Float[Array, "A V"]:
    """The k highest of every row; the others become -inf."""
    if k is None or k >= scores.shape[1]:
        return scores
    least = np.partition(scores, -k, axis=1)[:, -k, None]
    return np.where(scores >= least, scores, -np.inf)


def _nucleus(scores: Float[Array, "A V"], p: float) -> Float[Array, "A V"]:
    """The fewest of every row that have probability p together; the others become -inf."""
    if p == 1:
        return scores
    order = np.argsort(-scores, axis=1)
    ranked = np.take_along_axis(scores, order, axis=1)
    share = np.exp(ranked - ranked[:, :1])
    share /= share.sum(axis=1, keepdims=True)
    before = np.cumsum(share, axis=1) - share
    kept = np.empty_like(scores)
    np.put_along_axis(kept, order, np.where(before < p, ranked, -np.inf), axis=1)
    return kept
