"""Objectives of training phases: each makes the batch of a step.

Shapes: B captions of a batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, NamedTuple

from limner.data.dataset import Split
from limner.decoding import Decoder
from limner.models import Batch
from limner.randomness import Random
from limner.typing import Array, Int


class BatchRequest(NamedTuple):
    """The inputs of an objective for one step.

    Attributes:
        split: the training split.
        rows: (B,) indices of its captions.
        progress: of the phase, from 0 to 1.
        new_decoder: creates a decoder with the current parameters.
        rng: the random generator; None is NumPy's global state.
    """

    split: Split
    rows: Int[Array, " B"]
    progress: float
    new_decoder: Callable[[], Decoder]
    rng: Random | None = None


class Objective(ABC):
    """Makes the batch of a step.

    Attributes:
        measure: the value in the history, "loss" or "reward".
        by_image: whether the captions of an image are consecutive in an epoch.
    """

    measure: Literal["loss", "reward"] = "loss"
    by_image: bool = False

    @abstractmethod
    def batch(self, request: BatchRequest) -> Batch:
        """The batch of a step.

        Args:
            request: split, captions and progress of the step.
        """

    def value(self, loss: float) -> float:
        """The value for the history, given the loss of a step; a reward is negated.

        Args:
            loss: of the step.
        """
        return loss


class Likelihood(Objective):
    """Maximum likelihood of the captions (teacher forcing)."""

    def batch(self, request: BatchRequest) -> Batch:
        """See `Objective.batch`."""
        return Batch(*request.split.minibatch(request.rows, request.rng))
