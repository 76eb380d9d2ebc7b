"""The engine in NumPy: optimized passes on packed batches, in-place optimizers, decoders."""

from limner.engine.numpy.engine import NumpyEngine
from limner.engine.numpy.fast import fast_decoder

__all__ = ["NumpyEngine", "fast_decoder"]
