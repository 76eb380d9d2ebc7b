"""Captions without padding, packed time step by time step.

A batch of captions is an array that is partly filled with `<NULL>`. If the captions are sorted by
decreasing length, the captions that have a token at a time step are the first rows, and their
number decreases. The packed rows are the rows of all steps, one step after the other:

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
        order: the caption of each row of step 0, longest first, without captions that have no
            target.
        caption, position: (P,) the caption of each row, and the position of its target.
        steps: the slice of the P rows of each time step. The rows of a step continue the first
            rows of the previous step.
        tokens: (U,) the distinct input tokens.
        lookup: (P,) index in `tokens` of the input of each row.
        targets: (P,) the target of each row.
        counted: (P,) False for a target `<NULL>` inside a caption, which is not in the loss.
    """

    order: Int[Array, " N"]
    caption: Int[Array, " P"]
    position: Int[Array, " P"]
    steps: list[slice]
    tokens: Int[Array, " U"]
    lookup: Int[Array, " P"]
    targets: Int[Array, " P"]
    counted: Bool[Array, " P"]


def pack(batch: Batch, null: int, vocabulary_size: int) -> PackedCaptions:
    """Pack the inputs and the targets of a batch.

    A caption ends with its last target that is not `<NULL>`, since later inputs do not affect the
    loss.

    >>> batch = Batch(np.zeros((2, 0)), np.array([[1, 5, 2, 0], [1, 6, 7, 2]]))
    >>> packed = pack(batch, null=0, vocabulary_size=8)
    >>> packed.order.tolist(), [step.stop - step.start for step in packed.steps]
    ([1, 0], [2, 2, 1])
    >>> packed.tokens[packed.lookup].tolist(), packed.targets.tolist()
    ([1, 1, 6, 5, 7], [6, 5, 7, 2, 2])
    """
    positions = np.arange(1, batch.captions.shape[1])
    lengths = ((batch.targets != null) * positions).max(axis=1)
    order = np.argsort(-lengths, kind="stable")
    running = lengths[order] >= positions[:, None]  # (T - 1, N)

    active = running.sum(axis=1)
    active = active[active > 0]
    ends = np.cumsum(active).tolist()
    steps = [slice(end - n, end) for n, end in zip(active.tolist(), ends, strict=True)]

    targets = batch.targets[order].T[running]
    tokens, lookup = _distinct(batch.input_tokens[order].T[running], vocabulary_size)
    num_captions = steps[0].stop if steps else 0
    position, caption = np.nonzero(running)
    return PackedCaptions(
        order[:num_captions],
        order[caption],
        position,
        steps,
        tokens,
        lookup,
        targets,
        targets != null,
    )


def _distinct(ids: Array, vocabulary_size: int) -> tuple[Array, Array]:
    """`np.unique(ids, return_inverse=True)`, without sorting."""
    seen = np.zeros(vocabulary_size, dtype=bool)
    seen[ids] = True
    words = np.flatnonzero(seen)
    index = np.empty(vocabulary_size, dtype=np.intp)
    index[words] = np.arange(len(words))
    return words, index[ids]
