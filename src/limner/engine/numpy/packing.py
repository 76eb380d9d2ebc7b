"""Captions without their padding: the tokens that count, time step after time step.

A batch of captions is a rectangle that is partly filled with `<NULL>`. Sorted by length, longest
first, the captions that are still running at a time step are the first ones, and there are fewer
of them at every step. Packed, the steps' rows stand under each other:

    captions      sorted       packed rows
    a b . .       f g h i      step 0: f c a
    c d e .       c d e .      step 1: g d b
    f g h i       a b . .      step 2: h e
                               step 3: i

Shapes: N captions, T words, P packed rows, U distinct input tokens, V vocabulary.
"""

from dataclasses import dataclass

import numpy as np

from limner.models import Batch
from limner.typing import Array, Bool, Int


@dataclass(frozen=True)
class PackedCaptions:
    """Captions, sorted by length and packed time step by time step.

    Attributes:
        order: the caption that each row of step 0 belongs to, longest first; captions without a
            target are left out.
        caption, place: (P,) the caption of each row, and which of its targets the row's is.
        steps: for every time step its slice of the P rows. The rows of a step go on with the first
            rows of the step before.
        tokens: (U,) the distinct input tokens.
        lookup: (P,) the place in `tokens` of each row's.
        targets: (P,) the word that is expected after each row's.
        counted: (P,) false where the target is a `<NULL>` in the middle of a caption: such rows go
            through the network, but not into the loss.
    """

    order: Int[Array, " N"]
    caption: Int[Array, " P"]
    place: Int[Array, " P"]
    steps: list[slice]
    tokens: Int[Array, " U"]
    lookup: Int[Array, " P"]
    targets: Int[Array, " P"]
    counted: Bool[Array, " P"]


def pack(batch: Batch, null: int, vocabulary_size: int) -> PackedCaptions:
    """Pack the inputs and the targets of a batch.

    A caption is as long as the place of its last target that is not `<NULL>`, plus one: what comes
    after cannot change the loss.

    >>> batch = Batch(np.zeros((2, 0)), np.array([[1, 5, 2, 0], [1, 6, 7, 2]]))
    >>> packed = pack(batch, null=0, vocabulary_size=8)
    >>> packed.order.tolist(), [step.stop - step.start for step in packed.steps]
    ([1, 0], [2, 2, 1])
    >>> packed.tokens[packed.lookup].tolist(), packed.targets.tolist()
    ([1, 1, 6, 5, 7], [6, 5, 7, 2, 2])
    """
    places = np.arange(1, batch.captions.shape[1])
    lengths = ((batch.targets != null) * places).max(axis=1)
    order = np.argsort(-lengths, kind="stable")
    running = lengths[order] >= places[:, None]  # (T - 1, N)

    active = running.sum(axis=1)
    active = active[active > 0]
    ends = np.cumsum(active).tolist()
    steps = [slice(end - n, end) for n, end in zip(active.tolist(), ends, strict=True)]

    targets = batch.targets[order].T[running]
    tokens, lookup = _distinct(batch.input_tokens[order].T[running], vocabulary_size)
    num_captions = steps[0].stop if steps else 0
    place, caption = np.nonzero(running)
    return PackedCaptions(
        order[:num_captions], order[caption], place, steps, tokens, lookup, targets, targets != null
    )


def _distinct(ids: Array, vocabulary_size: int) -> tuple[Array, Array]:
    """`np.unique(ids, return_inverse=True)`, without sorting."""
    seen = np.zeros(vocabulary_size, dtype=bool)
    seen[ids] = True
    words = np.flatnonzero(seen)
    place = np.empty(vocabulary_size, dtype=np.intp)
    place[words] = np.arange(len(words))
    return words, place[ids]
