"""Scheduled sampling: in training, too, some input tokens are the model's own.

A model that has only ever read people's words does not learn to go on after a mistake of its own.
Source: S. Bengio et al., "Scheduled sampling for sequence prediction with recurrent neural
networks", NIPS 2015.

Shapes: B captions of M images, T tokens.
"""

from collections.abc import Mapping
from dataclasses import replace

from limner.decoding import Decoder
from limner.models import Batch
from limner.randomness import Random, global_if_none
from limner.training.objectives import BatchRequest, Likelihood
from limner.typing import Array, Int
from limner.vocabulary import END, NULL, SPECIAL


class ScheduledSampling(Likelihood):
    """Maximum likelihood; a share of the input tokens that grows from 0 is drawn by the model.

    Args:
        share: at the end of the phase.
        word_to_idx: the vocabulary.
    """

    def __init__(self, share: float, word_to_idx: Mapping[str, int]) -> None:
        self._share = share
        self._ids = word_to_idx

    def batch(self, request: BatchRequest) -> Batch:
        """See `Objective.batch`."""
        batch, share = super().batch(request), self._share * request.progress
        inputs = mixed_inputs(request.new_decoder(), batch, share, self._ids, request.rng)
        return replace(batch, inputs=inputs)


def mixed_inputs(
    decoder: Decoder,
    batch: Batch,
    share: float,
    word_to_idx: Mapping[str, int],
    rng: Random | None = None,
) -> Int[Array, "B T-1"]:
    """The input tokens: each is, with probability `share`, drawn by the model.

    A drawn token follows the inputs before it, drawn ones included; `<UNK>` and the other special
    tokens are not drawn, as captions never have them. `<START>`, and everything from `<END>` on,
    stay.

    >>> import numpy as np
    >>> from limner.models import CaptioningRNN
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
    >>> model = CaptioningRNN(words, 2, rng=np.random.default_rng(0))
    >>> batch = Batch(np.ones((1, 2)), np.array([[1, 4, 4, 4, 4, 2]]))
    >>> mixed_inputs(model, batch, 0.5, words, np.random.default_rng(2))
    array([[1, 4, 3, 4, 4]])
    """
    random = global_if_none(rng)
    inputs = batch.captions[:, :-1].copy()
    state = decoder.select(decoder.start(batch.features), batch.image_idxs)
    never = [word_to_idx[word] for word in SPECIAL if word in word_to_idx]
    for t in range(inputs.shape[1] - 1):
        scores, state = decoder.step(inputs[:, t], state)
        scores[:, never] = -float("inf")
        drawn = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
        theirs = batch.captions[:, t + 1]
        mine = random.random(len(inputs)) < share
        mine &= (theirs != word_to_idx[NULL]) & (theirs != word_to_idx[END])
        inputs[mine, t + 1] = drawn[mine]
    return inputs
