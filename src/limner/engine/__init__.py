"""How a model is trained: engines that share one protocol."""

from limner.engine.base import Engine, Regularisation
from limner.engine.numpy import NumpyEngine
from limner.engine.reference import ReferenceEngine

__all__ = ["Engine", "NumpyEngine", "ReferenceEngine", "Regularisation"]
