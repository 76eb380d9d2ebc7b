"""The engine in NumPy: fast passes, packed batches, optimizers in place, decoders."""

from limner.engine.numpy.decoders import fast_decoder
from limner.engine.numpy.engine import NumpyEngine

__all__ = ["NumpyEngine", "fast_decoder"]
