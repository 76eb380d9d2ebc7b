"""From next-token scores to captions, for many images at once.

Decoding knows nothing of a model but the three functions of a `Decoder`. Captions that have ended
are not asked for any more.
"""

from limner.decoding.beam import beam_search
from limner.decoding.config import GREEDY, DecodingConfig
from limner.decoding.constraints import Constraints
from limner.decoding.decode import NO_CAPTION, decode
from limner.decoding.decoder import BigramDecoder, Decoder, State
from limner.decoding.sampling import greedy, sample

Decoding = DecodingConfig
"""The older name."""

__all__ = [
    "GREEDY",
    "NO_CAPTION",
    "BigramDecoder",
    "Constraints",
    "Decoder",
    "Decoding",
    "DecodingConfig",
    "State",
    "beam_search",
    "decode",
    "greedy",
    "sample",
]
