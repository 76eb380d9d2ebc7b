"""Decoding with a step function and a state in the place of a `Decoder`, for short tests."""

import numpy as np

from limner import decoding


class StepDecoder:
    """A decoder from a function `(tokens, state) -> (scores, state)`.

    Args:
        step: the function.
        state: a tuple of arrays indexed by row, or of such tuples: the start of every image.
    """

    def __init__(self, step, state):
        self.step = step
        self._state = state

    def start(self, features):
        return self._state

    def select(self, state, rows):
        return tuple(
            self.select(part, rows) if isinstance(part, tuple) else part[rows] for part in state
        )


def greedy(step, state, N, constraints):
    return decoding.greedy(StepDecoder(step, state), np.zeros((N, 0)), constraints)


def sample(step, state, N, constraints, rng, **options):
    decoder = StepDecoder(step, state)
    return decoding.sample(decoder, np.zeros((N, 0)), constraints, rng, **options)


def beam_search(step, state, N, constraints, **options):
    decoder = StepDecoder(step, state)
    return decoding.beam_search(decoder, np.zeros((N, 0)), constraints, **options)
