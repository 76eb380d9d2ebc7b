"""What a phase of a training minimizes: each objective makes the batch of a step.

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
    """What the batch of a step is made from.

    Attributes:
        split: what is trained on.
        rows: (B,) of its captions.
        progress: the share of the phase that is done, from 0 to 1.
        new_decoder: makes a decoder with the newest parameters; only objectives that decode do.
        rng: where everything random is drawn from; None is NumPy's global state.
    """

    split: Split
    rows: Int[Array, " B"]
    progress: float
    new_decoder: Callable[[], Decoder]
    rng: Random | None = None


class Objective(ABC):
    """Makes the batch of a step.

    Attributes:
        measure: what the history tells of a step: the loss, or the reward that a batch was weighed
            by, as a loss of the opposite sign.
        by_image: whether an image's captions are to stand next to each other in an epoch.
    """

    measure: Literal["loss", "reward"] = "loss"
    by_image: bool = False

    @abstractmethod
    def batch(self, request: BatchRequest) -> Batch:
        """The batch of a step."""

    def value(self, loss: float) -> float:
        """What the history holds of a step with this loss."""
        return loss


class Likelihood(Objective):
    """People's captions, each token after their own: maximum likelihood."""

    def batch(self, request: BatchRequest) -> Batch:
        """See `Objective.batch`."""
        return Batch(*request.split.minibatch(request.rows, request.rng))
