"""Scheduled sampling: some input tokens are sampled from the model.

A model that is trained only on correct prefixes does not learn to continue after its own errors.
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
    """Maximum likelihood, with an increasing share of input tokens sampled from the model.

    Args:
        share: of sampled tokens at the end of the phase; it starts at 0.
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
    """Replace each input token, with probability `share`, by a sample of the model.

    A sample depends on the preceding inputs, including earlier samples. Special tokens are not
    sampled; `<START>`, `<END>` and what follows it are not replaced.

    Args:
        decoder: with the current parameters.
        batch: the captions.
        share: probability of a replacement.
        word_to_idx: the vocabulary.
        rng: the random generator; None is NumPy's global state.

    Returns:
        (B, T - 1) input tokens.

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
