"""The solver of `cs682`, see `limner.training.captioning_solver`.

It trains with the layers and the model's `loss`, which students change, unless another engine is
given.
"""

from typing import Any

import numpy as np

from limner.engine import EngineFactory, NumpyEngine
from limner.engine.numpy.fast import has_fast_pass
from limner.models import Batch, CaptioningRNN, Masks
from limner.training.captioning_solver import CaptioningSolver as LimnerSolver
from limner.typing import Array

NOTICE = "Training by the layers in limner.layers and the model's own loss"
FASTER = "; engine=limner.engine.NumpyEngine computes the same faster"


class CourseEngine(NumpyEngine):
    """Trains by the model's `loss(features, captions)`, and decodes by its `step`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "reference": True})

    def reference_loss(
        self, batch: Batch, masks: Masks, label_smoothing: float
    ) -> tuple[np.floating, dict[str, Array]]:
        """The loss of the model, called as in the course if the batch has no further inputs."""
        extras = batch.weights, batch.inputs, batch.soft_targets
        is_plain = not masks and not label_smoothing and all(one is None for one in extras)
        if not isinstance(self.model, CaptioningRNN) or not is_plain:
            return super().reference_loss(batch, masks, label_smoothing)
        return self.model.loss(batch.features[batch.image_idxs], batch.captions)


class CaptioningSolver(LimnerSolver):
    """The course's solver, which prints how it trains if `verbose`.

    Args:
        args, options: see `limner.CaptioningSolver`.
        engine: for example `limner.engine.NumpyEngine`, which is faster.
    """

    def __init__(self, *args: Any, engine: EngineFactory = CourseEngine, **options: Any) -> None:
        super().__init__(*args, engine=engine, **options)
        if engine is CourseEngine and self.verbose:
            print(f"{NOTICE}{FASTER if has_fast_pass(self.model) else ''}.")
