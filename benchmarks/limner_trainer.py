"""limner's engine in the form that the benchmarks share: `step(features, captions) -> loss`."""

import numpy as np

from limner.engine import NumpyEngine
from limner.models import Batch, CaptioningModel


class LimnerTrainer:
    """Trains with Adam; `reference` takes the model's own loss in the place of a fast pass."""

    def __init__(
        self, model: CaptioningModel, learning_rate: float = 1e-3, reference: bool = False
    ) -> None:
        self._engine = NumpyEngine(model, "adam", reference=reference)
        self._learning_rate = learning_rate

    def step(self, features: np.ndarray, captions: np.ndarray) -> float:
        """One step; one caption an image."""
        return self._engine.step(Batch(features, captions), self._learning_rate)
