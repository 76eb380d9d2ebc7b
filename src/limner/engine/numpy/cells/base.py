"""What the fast recurrent cells share.

The formulas are those of `limner.layers`. Three things differ:

- A step's rows continue the first rows of the step before (see `limner.engine.numpy.packing`).
- Gates are the first axis, not columns: each gate of a step is one piece of memory.
- A gradient is written over a value that is no longer needed.

docs/performance.md derives the order of the operations.

Shapes: P packed rows, N of them at step 0, U distinct tokens, R rows in decoding, H hidden,
m gates.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from limner.engine.numpy.workspace import Workspace
from limner.typing import Array, Float

Steps = list[slice]
Cache = tuple[Array, ...]


class FastCell(NamedTuple):
    """A recurrent cell over packed rows, and over rows in decoding.

    Attributes:
        forward: `(inputs, lookup, steps, prev_h, Wh, workspace) -> (h (P, H), cache)`: inputs are
            `x Wx + b` of the distinct tokens (m, U, H), and `lookup` (P,) tells which of them each
            row takes; or (m, P, H) of every row, and `lookup` is None. `prev_h` (P, H) holds h_0 in
            the rows of step 0; the others are filled in. `Wh` (m, H, H): see `recurrent_weights`.
        backward: `(dh, cache, steps, WhT, dWh, workspace) -> (da (m, P, H) by the inputs, dh_0)`:
            fills dWh; dh and the cache are used up.
        decode: `(inputs (m, R, H), state, Wh) -> next_state`: one step of rows that are not packed;
            inputs may be used up, the state is not.
    """

    forward: Callable[..., tuple[Array, Cache]]
    backward: Callable[..., tuple[Array, Array]]
    decode: Callable[..., tuple[Array, ...]]


def by_gate(W: Float[Array, "R mH"], m: int) -> Float[Array, "m R H"]:
    """A view of weights with the gates as first axis."""
    return W.reshape(len(W), m, -1).transpose(1, 0, 2)


def spaced(shape: tuple[int, int, int], workspace: Workspace, name: str) -> Array:
    """Room for (m, H, H) weights whose rows are 64 bytes further apart than H numbers.

    Where H is a power of two, rows right under each other fall into the same few sets of a cache,
    and copying down the columns takes four times as long.
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


def continued(packed: Array, steps: Steps, t: int) -> Array:
    """What the rows of step t had at the step before: the first rows of that step."""
    start, n = steps[t - 1].start, steps[t].stop - steps[t].start
    return packed[start : start + n]


def hand_on(h: Array, prev_h: Array, steps: Steps, t: int) -> None:
    """Copy the states of the captions that go on to where the next step reads them."""
    if t + 1 < len(steps):
        prev_h[steps[t + 1]] = continued(h, steps, t + 1)


def add_inputs(
    a: Array, inputs: Array, lookup: Array | None, rows: slice, workspace: Workspace
) -> None:
    """Add these rows' inputs, without a new array."""
    if lookup is None:
        a += inputs[:, rows]
        return
    looked_up = workspace("looked up", *a.shape)
    np.take(inputs, lookup[rows], axis=1, out=looked_up, mode="clip")  # other modes buffer `out`
    a += looked_up
