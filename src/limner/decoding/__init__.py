"""Generation of captions from next-token scores, for a batch of images.

A model is used only through the three functions of a `Decoder`. Finished captions are removed from
the batch.
"""

from limner.decoding.beam import beam_search
from limner.decoding.config import GREEDY, DecodingConfig
from limner.decoding.constraints import Constraints
from limner.decoding.decode import NO_CAPTION, decode
from limner.decoding.decoder import BigramDecoder, Decoder, State
from limner.decoding.sampling import greedy, sample

Decoding = DecodingConfig
"""The former name of `DecodingConfig`."""

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
