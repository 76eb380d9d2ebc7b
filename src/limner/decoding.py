"""From a model's next-word scores to captions, for many pictures at once.

A decoder knows nothing of the model. It is given a start state and a step function
`(words (N,), state) -> (scores (N, V), state)`.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from limner.arrays import Array, Float, Int

State = TypeVar("State")
Step = Callable[[Array, State], tuple[Array, State]]


def log_softmax(scores: Float[Array, "N V"]) -> Float[Array, "N V"]:
    """`log(exp(scores) / sum exp(scores))`, row by row; a score of -inf stays -inf."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    out: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return out


def greedy(
    step: Step[State],
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
    >>> words, log_prob = greedy(step, None, 1, start=1, end=3, max_length=4)
    >>> words, log_prob.round(3)
    (array([[2, 3, 0, 0]], dtype=int32), array([-0.04]))
    """
    said = np.full((num_captions, max_length), null, dtype=np.int32)
    total = np.zeros(num_captions)
    words = np.full(num_captions, start)
    running = np.ones(num_captions, dtype=bool)
    for t in range(max_length):
        scores, state = step(words, state)
        scores[:, list(forbidden)] = -np.inf
        log_probs = log_softmax(scores)
        words = log_probs.argmax(axis=1)
        said[running, t] = words[running]
        total[running] += log_probs[running, words[running]]
        running &= words != end
        if not running.any():
            break
    return said, total
