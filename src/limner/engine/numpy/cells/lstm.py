"""The cell of `limner.layers.lstm`. Shapes: see `base`.

`activate` and `backpropagate` are the elementwise part of a step, given `a`; attention models,
whose `a` has one more term, use them, too.
"""

import numpy as np

from limner.engine.numpy.cells.base import Cache, FastCell, PackedSequence
from limner.engine.numpy.workspace import Workspace
from limner.typing import Array, Float


def activate(
    a: Float[Array, "4 R H"],
    prev_c: Float[Array, "R H"] | None,
    c: Float[Array, "R H"],
    tanh_c: Float[Array, "R H"],
    h: Float[Array, "R H"],
) -> None:
    """Overwrite a with the gates, and fill c, tanh(c) and h; c_{t-1} is None for 0."""
    # i, f, o = sigmoid(a) = tanh(a / 2) / 2 + 1/2;  g = tanh(a)
    ifo = a[:3]
    ifo *= 0.5
    np.tanh(a, out=a)
    ifo *= 0.5
    ifo += 0.5
    i, f, o, g = a
    # c = i * g + f * prev_c
    np.multiply(i, g, out=c)
    if prev_c is not None:
        c += np.multiply(f, prev_c, out=tanh_c)
    # h = o * tanh(c)
    np.tanh(c, out=tanh_c)
    np.multiply(o, tanh_c, out=h)


def backpropagate(
    gates: Float[Array, "4 R H"],
    dh: Float[Array, "R H"],
    dc: Float[Array, "R H"],
    prev_c: Float[Array, "R H"] | None,
    h: Float[Array, "R H"],
    tanh_c: Float[Array, "R H"],
    workspace: Workspace,
) -> None:
    """Gradients of `activate`: da overwrites the gates, dprev_c overwrites dc.

    h and tanh_c are overwritten, too.
    """
    da, dtanh_c = gates, tanh_c
    i, f, o, g = da
    ig, fc = workspace("i*g", *dh.shape), workspace("f*prev_c", *dh.shape)
    # h = o * tanh(c),  dc += dh o (1 - tanh(c)^2) = dh (o - h tanh(c))
    dtanh_c *= h
    np.subtract(o, dtanh_c, out=dtanh_c)
    dtanh_c *= dh
    dc += dtanh_c
    # c = i * g + f * prev_c;  g = tanh(a_g),  da_g = dc i (1 - g^2) = dc (i - i g g)
    np.multiply(i, g, out=ig)
    g *= ig
    np.subtract(i, g, out=g)
    g *= dc
    # i = sigmoid(a_i),  da_i = dc g i (1 - i);  f and o likewise
    if prev_c is None:
        fc[:] = 0
    else:
        np.multiply(f, prev_c, out=fc)
    ig *= dc
    fc *= dc
    h *= dh
    dc *= f  # dc of the next iteration
    np.subtract(1, da[:3], out=da[:3])
    i *= ig
    f *= fc
    o *= h


def forward(sequence: PackedSequence) -> tuple[Float[Array, "P H"], Cache]:
    """See `FastCell.forward`; c_0 is 0."""
    steps, prev_h, Wh, workspace = sequence.steps, sequence.prev_h, sequence.Wh, sequence.workspace
    shape = prev_h.shape
    h, c, tanh_c = (workspace(name, *shape) for name in ("h", "c", "tanh_c"))
    gates = workspace("gates", 4, *shape)
    for t, rows in enumerate(steps):
        a = gates[:, rows]
        np.matmul(prev_h[rows], Wh, out=a)
        sequence.add_inputs(a, rows)
        prev_c = sequence.before(c, t) if t else None
        activate(a, prev_c, c[rows], tanh_c[rows], h[rows])
        sequence.carry(h, t)
    return h, (h, c, tanh_c, gates)


def backward(
    dh: Float[Array, "P H"], cache: Cache, sequence: PackedSequence, dWh: Float[Array, "m H H"]
) -> tuple[Float[Array, "4 P H"], Float[Array, "N H"]]:
    """Backpropagation through time; da overwrites the gates."""
    h, c, tanh_c, gates = cache
    steps, workspace = sequence.steps, sequence.workspace
    N, H = steps[0].stop, h.shape[1]
    dprev_h, dc = workspace("dprev_h", N, H), workspace("dc", N, H)
    dc[:] = 0
    later = 0  # rows that continue in the next step
    for t in reversed(range(len(steps))):
        rows = steps[t]
        n = rows.stop - rows.start
        da, dh_t = gates[:, rows], dh[rows]
        dh_t[:later] += dprev_h[:later]
        prev_c = sequence.before(c, t) if t else None
        backpropagate(da, dh_t, dc[:n], prev_c, h[rows], tanh_c[rows], workspace)
        # a = inputs + prev_h Wh
        dprev_h_by_gate = workspace("dprev_h by gate", 4, n, H)
        np.matmul(da, sequence.WhT, out=dprev_h_by_gate)
        np.sum(dprev_h_by_gate, axis=0, out=dprev_h[:n])
        later = n
    np.matmul(sequence.prev_h.T, gates, out=dWh)
    return gates, dprev_h


def decode(
    inputs: Float[Array, "4 R H"], state: tuple[Array, ...], Wh: Float[Array, "4 H H"]
) -> tuple[Array, ...]:
    """See `FastCell.decode`."""
    prev_h, prev_c = state
    a = np.matmul(prev_h, Wh)
    a += inputs
    return activated(a, prev_c)


def activated(
    a: Float[Array, "4 R H"], prev_c: Float[Array, "R H"]
) -> tuple[Float[Array, "R H"], Float[Array, "R H"]]:
    """`activate` with new arrays h and c."""
    h, c, tanh_c = (np.empty_like(prev_c) for _ in range(3))
    activate(a, prev_c, c, tanh_c, h)
    return h, c


CELL = FastCell(forward, backward, decode)
