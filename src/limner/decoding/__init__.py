"""From a model's next-word scores to captions, for many pictures at once.

A decoder knows nothing of the model. It is given a start state, whose parts have the captions as
their first axis, and a step function `(words (N,), state) -> (scores (N, V), state)`. It may change
the scores. Captions that have ended are not asked for any more.
"""

from limner.decoding.beam import beam_search
from limner.decoding.config import GREEDY, DecodingConfig
from limner.decoding.decode import decode
from limner.decoding.limits import Limits, State, Step
from limner.decoding.walk import greedy, sample

Decoding = DecodingConfig
"""The older name."""

__all__ = [
    "GREEDY",
    "Decoding",
    "DecodingConfig",
    "Limits",
    "State",
    "Step",
    "beam_search",
    "decode",
    "greedy",
    "sample",
]
