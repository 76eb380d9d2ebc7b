"""Training engines, with a common interface."""

from limner.engine.base import Engine, EngineFactory, Regularization
from limner.engine.numpy import NumpyEngine

__all__ = ["Engine", "EngineFactory", "NumpyEngine", "Regularization"]
