"""Several models that speak as one: the mean of what they give every next word.

Shapes: N captions, V vocabulary.
"""

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding import State, Step
from limner.decoding.limits import log_softmax
from limner.models.base import CaptioningModel, WordModel


class Ensemble(WordModel):
    """Models with one vocabulary that read the same features; their probabilities are averaged.

    Args:
        members: the models; of any kinds.

    Raises:
        ValueError: without members, or if they do not go together.

    >>> from limner.models import CaptioningRNN
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> members = [CaptioningRNN(words, 8, rng=np.random.default_rng(i)) for i in (0, 1)]
    >>> Ensemble(members).sample(np.ones((2, 8)), max_length=5).shape
    (2, 5)
    """

    def __init__(self, members: Sequence[CaptioningModel]) -> None:
        if not members:
            raise ValueError("an ensemble has at least one member")
        first = members[0]
        super().__init__(first.word_to_idx)
        self.members = tuple(members)
        self.reads_grid = first.reads_grid
        for member in members:
            if member.word_to_idx != first.word_to_idx:
                raise ValueError("the models have different vocabularies")
            if (member.reads_grid, member.input_dim) != (first.reads_grid, first.input_dim):
                raise ValueError("the models read different features")

    @property
    def title(self) -> str:
        """2 models: LSTM and GRU."""
        number = len(self.members)
        titles = " and ".join(dict.fromkeys(member.title for member in self.members))
        return f"{number} model{'s' if number > 1 else ''}: {titles}"

    @property
    def input_dim(self) -> int:
        """D, of the features."""
        return self.members[0].input_dim

    def initial_state(self, features: Float[Array, "N *_ D"]) -> State:
        """Every member's, one after the other."""
        return tuple(member.initial_state(features) for member in self.members)

    def look(self, state: State) -> Float[Array, "N L"] | None:
        """The mean of the looks of the members that attend."""
        looks = [m.look(part) for m, part in zip(self.members, state, strict=True)]
        attending = [look for look in looks if look is not None]
        return np.mean(attending, axis=0) if attending else None

    def step(self, words: Int[Array, " N"], state: State) -> tuple[Float[Array, "N V"], State]:
        """Scores are logarithms of probabilities."""
        return _mean([member.step for member in self.members], words, state)

    def stepper(self) -> Step:
        """See `WordModel.stepper`."""
        steps = [member.stepper() for member in self.members]
        return lambda words, state: _mean(steps, words, state)


def _mean(
    steps: Sequence[Callable[[Array, State], tuple[Array, State]]],
    words: Int[Array, " N"],
    states: State,
) -> tuple[Float[Array, "N V"], State]:
    """log(mean of the softmax of the members' scores), computed without leaving the logarithms."""
    log_probs, after = [], []
    for step, state in zip(steps, states, strict=True):
        scores, state_after = step(words, state)
        log_probs.append(log_softmax(scores))
        after.append(state_after)
    mean: Array = reduce(np.logaddexp, log_probs) - np.log(len(log_probs))
    return mean, tuple(after)
