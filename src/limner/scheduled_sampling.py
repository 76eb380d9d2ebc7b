"""Scheduled sampling: in training, too, some words that go in are the model's own.

A model that has only ever read people's words does not learn to go on after a mistake of its own.
Source: S. Bengio et al., "Scheduled sampling for sequence prediction with recurrent neural
networks", NIPS 2015.

Shapes: N captions of M pictures, T words.
"""

import numpy as np

from limner.arrays import Array, Float, Int
from limner.decoding.limits import rows_of
from limner.models import CaptioningModel
from limner.vocabulary import END, SPECIAL


def mixed_inputs(
    model: CaptioningModel,
    features: Float[Array, "M *_ D"],
    captions: Int[Array, "N T"],
    image_idxs: Int[Array, " N"] | None,
    share: float,
    rng: np.random.Generator,
) -> Int[Array, "N T-1"]:
    """The words that go in: each is, with probability `share`, drawn by the model.

    A drawn word follows what went in before it, drawn words included; `<UNK>` and the other special
    words are not drawn, as they are never said. `<START>`, and what stands from `<END>` on, stay.

    >>> from limner.models import CaptioningRNN
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
    >>> model = CaptioningRNN(words, 2, rng=np.random.default_rng(0))
    >>> captions = np.array([[1, 4, 4, 4, 4, 2]])
    >>> rng = np.random.default_rng(2)
    >>> mixed_inputs(model, np.ones((1, 2)), captions, None, 0.5, rng)
    array([[1, 4, 3, 4, 4]])
    """
    inputs = captions[:, :-1].copy()
    state = model.initial_state(features)
    if image_idxs is not None:
        state = rows_of(state, image_idxs)
    step = model.stepper()
    ids = model.word_to_idx
    never = [ids[word] for word in SPECIAL if word in ids]
    for t in range(inputs.shape[1] - 1):
        scores, state = step(inputs[:, t], state)
        scores[:, never] = -np.inf
        drawn = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
        others = captions[:, t + 1]
        mine = rng.random(len(inputs)) < share
        mine &= (others != model.null) & (others != model.word_to_idx[END])
        inputs[mine, t + 1] = drawn[mine]
    return inputs
