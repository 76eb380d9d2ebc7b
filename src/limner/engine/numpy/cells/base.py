"""The interface and common functions of the optimized recurrent cells.

The formulas are those of `limner.layers`. Three things differ:

- The rows of a step continue the first rows of the previous step (`limner.engine.numpy.packing`).
- Gates are the first axis, not columns, so that each gate of a step is contiguous.
- Gradients overwrite values that are no longer needed.

docs/performance.md derives the order of the operations.

Shapes: P packed rows, N of them at step 0, U distinct tokens, R rows in decoding, H hidden,
m gates.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from limner.engine.numpy.workspace import Workspace
from limner.typing import Array, Float, Int

Cache = tuple[Array, ...]


class PackedSequence(NamedTuple):
    """The input of a cell: packed captions, over all time steps.

    Attributes:
        inputs: `x Wx + b`: (m, U, H) of the distinct tokens, or (m, P, H) of every row.
        lookup: (P,) index of the input of each row; None if each row has its own.
        steps: of the packed rows.
        prev_h: (P, H) with h_0 in the rows of step 0; `carry` fills the others.
        Wh, WhT: (m, H, H), see `recurrent_weights`.
        workspace: of the layer.
    """

    inputs: Float[Array, "m _ H"]
    lookup: Int[Array, " P"] | None
    steps: list[slice]
    prev_h: Float[Array, "P H"]
    Wh: Float[Array, "m H H"]
    WhT: Float[Array, "m H H"]
    workspace: Workspace

    def add_inputs(self, a: Float[Array, "m n H"], rows: slice) -> None:
        """Add the inputs of these rows, without a new array."""
        if self.lookup is None:
            a += self.inputs[:, rows]
            return
        found = self.workspace("looked up", *a.shape)
        # other modes buffer `out`
        a += np.take(self.inputs, self.lookup[rows], axis=1, out=found, mode="clip")

    def before(self, packed: Float[Array, "P H"], t: int) -> Float[Array, "n H"]:
        """The values of the rows of step t at the previous step: its first rows."""
        start, n = self.steps[t - 1].start, self.steps[t].stop - self.steps[t].start
        return packed[start : start + n]

    def carry(self, h: Float[Array, "P H"], t: int) -> None:
        """Copy the states of captions that continue into `prev_h` of the next step."""
        if t + 1 < len(self.steps):
            self.prev_h[self.steps[t + 1]] = self.before(h, t + 1)


class FastCell(NamedTuple):
    """A recurrent cell over packed rows, and over rows in decoding.

    Attributes:
        forward: `(sequence) -> (h (P, H), cache)`.
        backward: `(dh, cache, sequence, dWh) -> (da (m, P, H) by the inputs, dh_0)`: fills dWh; dh
            and the cache are overwritten.
        decode: `(inputs (m, R, H), state, Wh) -> next_state`: one step of rows that are not packed;
            inputs may be overwritten, the state is not.
    """

    forward: Callable[[PackedSequence], tuple[Array, Cache]]
    backward: Callable[[Array, Cache, PackedSequence, Array], tuple[Array, Array]]
    decode: Callable[..., tuple[Array, ...]]


def by_gate(W: Float[Array, "R mH"], m: int) -> Float[Array, "m R H"]:
    """A view of weights with the gates as first axis."""
    return W.reshape(len(W), m, -1).transpose(1, 0, 2)


def spaced(shape: tuple[int, int, int], workspace: Workspace, name: str) -> Array:
    """An array for (m, H, H) weights whose rows are padded by 64 bytes.

    If H is a power of two, unpadded rows map to the same few cache sets, and copying along the
    columns takes four times as long.
    """
    m, R, H = shape
    gap = 64 // workspace.itemsize
    return workspace(name, m, R, H + gap)[..., :H]


def recurrent_weights(
    Wh: Float[Array, "H mH"], workspace: Workspace
) -> tuple[Float[Array, "m H H"], Float[Array, "m H H"]]:
    """Wh and its transpose, gate by gate, for the forward and the backward pass.

    A product of few rows with the view Wh.T takes 1.6 times as long as with a copy of it.
    """
    H, mH = Wh.shape
    forward = spaced((mH // H, H, H), workspace, "Wh")
    backward = spaced((mH // H, H, H), workspace, "WhT")
    forward[:] = by_gate(Wh, mH // H)
    backward[:] = forward.transpose(0, 2, 1)
    return forward, backward
