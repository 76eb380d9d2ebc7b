"""One way in to every decoder.

Shapes: N pictures, n captions of each, L words at most.
"""

from collections.abc import Sequence

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding.beam import beam_search
from limner.decoding.config import DecodingConfig
from limner.decoding.limits import Limits, State, Step, rows_of
from limner.decoding.walk import greedy, sample


def decode(
    step: Step,
    state: State,
    num_captions: int,
    limits: Limits,
    how: DecodingConfig,
    forced: Sequence[int] = (),
    rng: np.random.Generator | None = None,
) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
    """Decode as told; `forced` are the ids of `how.forced`, and `rng` draws, or a new one.

    Returns:
        words (N, n, L), the best caption first, and their log-probabilities (N, n).

    >>> def step(words, state):  # after word w says w + 1
    ...     return 5.0 * np.eye(4)[(words + 1) % 4], state
    >>> limits = Limits(start=1, end=3, max_length=3)
    >>> decode(step, (), 1, limits, DecodingConfig(beam_size=2, n_best=2))[0]
    array([[[2, 3, 0],
            [2, 0, 1]]], dtype=int32)
    """
    N, n = num_captions, how.n_best
    if how.temperature is not None:
        rows = np.repeat(np.arange(N), n)
        words, log_probs = sample(
            step,
            rows_of(state, rows),
            N * n,
            limits,
            rng or how.new_rng(),
            temperature=how.temperature,
            top_k=how.top_k,
            top_p=how.top_p,
        )
        words, log_probs = words.reshape(N, n, -1), log_probs.reshape(N, n)
        order = np.argsort(-log_probs, axis=1, kind="stable")
        return (
            np.take_along_axis(words, order[:, :, None], axis=1),
            np.take_along_axis(log_probs, order, axis=1),
        )
    if how.beams == 1 and not forced:
        words, log_probs = greedy(step, state, N, limits)
        return words[:, None], log_probs[:, None]
    return beam_search(
        step,
        state,
        N,
        limits,
        beam_size=how.beams,
        n_best=n,
        length_penalty=how.length_penalty,
        forced=forced,
        groups=how.groups,
        diversity=how.diversity,
    )
