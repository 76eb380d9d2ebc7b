"""The engine in NumPy: fast passes, packed batches, optimizers in place, decoders."""

from limner.engine.numpy.engine import NumpyEngine
from limner.engine.numpy.fast import fast_decoder

__all__ = ["NumpyEngine", "fast_decoder"]
