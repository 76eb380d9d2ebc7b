"""An ensemble: the mean of the models' probabilities of the next token.

Shapes: N images, R rows, V vocabulary.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from limner.decoding import Decoder, State
from limner.decoding.constraints import log_softmax
from limner.models.base import CaptioningModel, WordModel
from limner.typing import Array, Float, Int


class EnsembleDecoder:
    """A decoder with the mean probabilities of several decoders; its scores are their logarithms.

    Args:
        decoders: of models with the same vocabulary and features.
    """

    def __init__(self, decoders: Sequence[Decoder]) -> None:
        self._decoders = decoders

    def start(self, features: Float[Array, "N *L D"]) -> State:
        """The states of all members."""
        return tuple(decoder.start(features) for decoder in self._decoders)

    def step(self, tokens: Int[Array, " R"], state: State) -> tuple[Float[Array, "R V"], State]:
        """log(mean(softmax(scores))) over the members, computed in log space."""
        log_probs, states = [], []
        for decoder, part in zip(self._decoders, state, strict=True):
            scores, next_part = decoder.step(tokens, part)
            log_probs.append(log_softmax(scores))
            states.append(next_part)
        mean: Array = reduce(np.logaddexp, log_probs) - np.log(len(log_probs))
        return mean, tuple(states)

    def select(self, state: State, rows: Array) -> State:
        """See `Decoder.select`."""
        return tuple(d.select(part, rows) for d, part in zip(self._decoders, state, strict=True))


class Ensemble(EnsembleDecoder, WordModel):
    """An ensemble of models with the same vocabulary and features.

    Args:
        members: the models, of any kinds.

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
        WordModel.__init__(self, first.word_to_idx)
        EnsembleDecoder.__init__(self, members)
        self.members = tuple(members)
        self.reads_grid = first.reads_grid
        for member in members:
            if member.word_to_idx != first.word_to_idx:
                raise ValueError("the models have different vocabularies")
            if (member.reads_grid, member.input_dim) != (first.reads_grid, first.input_dim):
                raise ValueError("the models read different features")

    @property
    def title(self) -> str:
        """Number and titles of the members."""
        number = len(self.members)
        titles = " and ".join(dict.fromkeys(member.title for member in self.members))
        return f"{number} model{'s' if number > 1 else ''}: {titles}"

    @property
    def input_dim(self) -> int:
        """D, the size of a feature vector."""
        return self.members[0].input_dim

    def attention_weights(self, state: State) -> Float[Array, "R L"] | None:
        """The mean attention weights of the members that have any."""
        weights = [m.attention_weights(part) for m, part in zip(self.members, state, strict=True)]
        attending = [one for one in weights if one is not None]
        return np.mean(attending, axis=0) if attending else None
