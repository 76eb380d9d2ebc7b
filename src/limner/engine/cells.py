"""The recurrent cells over packed rows, forward and backward, in arrays that are reused.

The formulas are those of `limner.layers.rnn`, `gru` and `lstm`. Three things differ:

- A step's rows go on with the first rows of the step before (see `packing`).
- Gates are the first axis, not columns: each gate of a step is one piece of memory.
- A gradient is written over a value that nobody needs any more.

Each cell is a pair: forward returns the hidden states and a cache, backward takes the gradient of
the hidden states and the cache. docs/performance.md derives the order of the operations.

Shapes: P packed rows, N of them at step 0, U distinct words, H hidden;
m gates, 1 (rnn), 3 (gru) or 4 (lstm).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from limner.arrays import Array, Float, Int
from limner.workspace import Workspace

Steps = list[slice]
Cache = tuple[Array, ...]


def rnn_forward(
    inputs: Float[Array, "1 U H"],
    lookup: Int[Array, " P"] | None,
    steps: Steps,
    prev_h: Float[Array, "P H"],
    Wh: Float[Array, "1 H H"],
    workspace: Workspace,
) -> tuple[Float[Array, "P H"], Cache]:
    """`h_t = tanh(inputs_t + h_{t-1} Wh)`.

    Args:
        inputs: `x Wx + b` of the distinct words, or (m, P, H) of every row.
        lookup: which of the distinct words each row takes; None where every row has its own.
        steps: the rows of every time step.
        prev_h: h_0 in the rows of step 0; the other rows are filled in.
        Wh: hidden-to-hidden weights, from `recurrent_weights`.
        workspace: where the results lie.

    Returns:
        h, and what `rnn_backward` needs.
    """
    h = workspace("h", *prev_h.shape)
    a = h[None]
    for t, rows in enumerate(steps):
        np.matmul(prev_h[rows], Wh, out=a[:, rows])
        _add_inputs(a[:, rows], inputs, lookup, rows, workspace)
        np.tanh(h[rows], out=h[rows])
        _hand_on(h, prev_h, steps, t)
    return h, (h,)


def rnn_backward(
    dh: Float[Array, "P H"],
    cache: Cache,
    steps: Steps,
    WhT: Float[Array, "1 H H"],
    workspace: Workspace,
) -> tuple[Float[Array, "1 P H"], Float[Array, "1 P H"], Float[Array, "N H"]]:
    """Backpropagation through time.

    Returns:
        da by the inputs and da by `prev_h Wh`, here the same, in the place of dh; and dh_0.
    """
    (h,) = cache
    dprev_h = workspace("dprev_h", steps[0].stop, h.shape[1])
    later = 0  # rows that the step after this one has
    for rows in reversed(steps):
        da, h_t = dh[rows], h[rows]
        da[:later] += dprev_h[:later]
        # h = tanh(a),  da = dh (1 - h^2) = dh - dh h^2
        h_t *= h_t
        h_t *= da
        da -= h_t
        # a = inputs + prev_h Wh
        later = len(da)
        np.matmul(da, WhT[0], out=dprev_h[:later])
    return dh[None], dh[None], dprev_h


def gru_forward(
    inputs: Float[Array, "3 U H"],
    lookup: Int[Array, " P"] | None,
    steps: Steps,
    prev_h: Float[Array, "P H"],
    Wh: Float[Array, "3 H H"],
    workspace: Workspace,
) -> tuple[Float[Array, "P H"], Cache]:
    """As `rnn_forward`, for the cell of `limner.layers.gru`."""
    h, recalled, kept = (workspace(name, *prev_h.shape) for name in ("h", "recalled", "kept"))
    gates = workspace("gates", 3, *prev_h.shape)
    for t, rows in enumerate(steps):
        a = gates[:, rows]
        np.matmul(prev_h[rows], Wh, out=a)
        recalled[rows] = a[2]
        a[2] = 0
        _add_inputs(a, inputs, lookup, rows, workspace)
        # r, z = sigmoid(a) = tanh(a / 2) / 2 + 1/2;  n = tanh(inputs_n + r * recalled)
        rz = a[:2]
        rz *= 0.5
        np.tanh(rz, out=rz)
        rz *= 0.5
        rz += 0.5
        r, z, n = a
        np.multiply(r, recalled[rows], out=kept[rows])
        n += kept[rows]
        np.tanh(n, out=n)
        # h = (1 - z) * n + z * prev_h = n + z * (prev_h - n)
        np.subtract(prev_h[rows], n, out=kept[rows])
        np.multiply(z, kept[rows], out=h[rows])
        h[rows] += n
        _hand_on(h, prev_h, steps, t)
    return h, (recalled, kept, gates)


def gru_backward(
    dh: Float[Array, "P H"],
    cache: Cache,
    steps: Steps,
    WhT: Float[Array, "3 H H"],
    workspace: Workspace,
) -> tuple[Float[Array, "3 P H"], Float[Array, "3 P H"], Float[Array, "N H"]]:
    """Backpropagation through time: da by the inputs, da by `prev_h Wh`, and dh_0.

    They differ in the third block: the reset gate stands between `prev_h Wh_n` and the sum.
    """
    recalled, kept, gates = cache  # kept = prev_h - n
    N, H = steps[0].stop, recalled.shape[1]
    from_h = workspace("da by h", *gates.shape)
    dprev_h = workspace("dprev_h", N, H)
    later = 0  # rows that the step after this one has
    for rows in reversed(steps):
        r, z, n = da = gates[:, rows]
        dh_t, kept_t, recalled_t = dh[rows], kept[rows], recalled[rows]
        dh_t[:later] += dprev_h[:later]
        later = len(dh_t)
        # h = (1 - z) * n + z * prev_h;  z = sigmoid(a_z),  da_z = dh (prev_h - n) z (1 - z)
        dprev_h_t = np.multiply(dh_t, z, out=dprev_h[:later])
        kept_t *= dprev_h_t
        np.subtract(dh_t, dprev_h_t, out=dh_t)  # dn
        # n = tanh(inputs_n + r * recalled),  da_n = dn (1 - n^2)
        n *= n
        np.subtract(1, n, out=n)
        n *= dh_t
        # r = sigmoid(a_r),  da_r = da_n recalled r (1 - r)
        drecalled = np.multiply(n, r, out=from_h[2, rows])
        recalled_t *= drecalled
        np.subtract(1, da[:2], out=da[:2])
        r *= recalled_t
        z *= kept_t
        from_h[:2, rows] = da[:2]
        # a = inputs + prev_h Wh
        by_gate = workspace("dprev_h by gate", 3, later, H)
        np.matmul(from_h[:, rows], WhT, out=by_gate)
        dprev_h_t += by_gate.sum(axis=0)
    return gates, from_h, dprev_h


def lstm_forward(
    inputs: Float[Array, "4 U H"],
    lookup: Int[Array, " P"] | None,
    steps: Steps,
    prev_h: Float[Array, "P H"],
    Wh: Float[Array, "4 H H"],
    workspace: Workspace,
) -> tuple[Float[Array, "P H"], Cache]:
    """As `rnn_forward`, for the cell of `limner.layers.lstm`."""
    shape = prev_h.shape
    h, c, tanh_c = (workspace(name, *shape) for name in ("h", "c", "tanh_c"))
    gates = workspace("gates", 4, *shape)
    for t, rows in enumerate(steps):
        a = gates[:, rows]
        np.matmul(prev_h[rows], Wh, out=a)
        _add_inputs(a, inputs, lookup, rows, workspace)
        # i, f, o = sigmoid(a) = tanh(a / 2) / 2 + 1/2;  g = tanh(a)
        ifo = a[:3]
        ifo *= 0.5
        np.tanh(a, out=a)
        ifo *= 0.5
        ifo += 0.5
        i, f, o, g = a
        # c = i * g + f * prev_c, and prev_c = 0 at the start
        np.multiply(i, g, out=c[rows])
        if t > 0:
            kept = tanh_c[rows]
            np.multiply(f, _continued(c, steps, t), out=kept)
            c[rows] += kept
        # h = o * tanh(c)
        np.tanh(c[rows], out=tanh_c[rows])
        np.multiply(o, tanh_c[rows], out=h[rows])
        _hand_on(h, prev_h, steps, t)
    return h, (h, c, tanh_c, gates)


def lstm_backward(
    dh: Float[Array, "P H"],
    cache: Cache,
    steps: Steps,
    WhT: Float[Array, "4 H H"],
    workspace: Workspace,
) -> tuple[Float[Array, "4 P H"], Float[Array, "4 P H"], Float[Array, "N H"]]:
    """As `rnn_backward`; da stands in the place of the gates."""
    h, c, tanh_c, gates = cache
    N, H = steps[0].stop, h.shape[1]
    dprev_h, dc_rows, ig_rows, fc_rows = (
        workspace(name, N, H) for name in ("dprev_h", "dc", "i*g", "f*prev_c")
    )
    dc_rows[:] = 0
    later = 0  # rows that the step after this one has
    for t in reversed(range(len(steps))):
        rows = steps[t]
        da, dh_t, h_t, dtanh_c = gates[:, rows], dh[rows], h[rows], tanh_c[rows]
        i, f, o, g = da
        n = len(i)
        dc, ig, fc = dc_rows[:n], ig_rows[:n], fc_rows[:n]
        dh_t[:later] += dprev_h[:later]
        # h = o * tanh(c),  dc += dh o (1 - tanh(c)^2) = dh (o - h tanh(c))
        dtanh_c *= h_t
        np.subtract(o, dtanh_c, out=dtanh_c)
        dtanh_c *= dh_t
        dc += dtanh_c
        # c = i * g + f * prev_c;  g = tanh(a_g),  da_g = dc i (1 - g^2) = dc (i - i g g)
        np.multiply(i, g, out=ig)
        g *= ig
        np.subtract(i, g, out=g)
        g *= dc
        # i = sigmoid(a_i),  da_i = dc g i (1 - i);  f and o likewise
        if t > 0:
            np.multiply(f, _continued(c, steps, t), out=fc)
        else:
            fc[:] = 0
        ig *= dc
        fc *= dc
        h_t *= dh_t
        dc *= f  # the next dc
        np.subtract(1, da[:3], out=da[:3])
        i *= ig
        f *= fc
        o *= h_t
        # a = inputs + prev_h Wh
        by_gate = workspace("dprev_h by gate", 4, n, H)
        np.matmul(da, WhT, out=by_gate)
        np.sum(by_gate, axis=0, out=dprev_h[:n])
        later = n
    return gates, gates, dprev_h


CELLS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "rnn": (rnn_forward, rnn_backward),
    "gru": (gru_forward, gru_backward),
    "lstm": (lstm_forward, lstm_backward),
}
"""Forward and backward by `CaptioningRNN.cell_type`."""


def by_gate(W: Float[Array, "R mH"], m: int) -> Float[Array, "m R H"]:
    """A view of weights with the gates as first axis."""
    return W.reshape(len(W), m, -1).transpose(1, 0, 2)


def recurrent_weights(
    Wh: Float[Array, "H mH"], workspace: Workspace
) -> tuple[Float[Array, "m H H"], Float[Array, "m H H"]]:
    """Wh and its transpose, gate by gate, for the forward and the backward pass.

    A product of few rows with the view Wh.T takes 1.6 times as long as with a copy of it. In both,
    rows are 64 bytes longer than H: where H is a power of two, rows right under each other fall
    into the same few sets of a cache, and copying down the columns takes four times as long.
    """
    H, mH = Wh.shape
    m, gap = mH // H, 64 // Wh.itemsize
    forward = workspace("Wh", m, H, H + gap)[..., :H]
    backward = workspace("WhT", m, H, H + gap)[..., :H]
    forward[:] = by_gate(Wh, m)
    backward[:] = forward.transpose(0, 2, 1)
    return forward, backward


def _continued(packed: Array, steps: Steps, t: int) -> Array:
    """What the rows of step t had at the step before: the first rows of that step."""
    start, n = steps[t - 1].start, steps[t].stop - steps[t].start
    return packed[start : start + n]


def _hand_on(h: Array, prev_h: Array, steps: Steps, t: int) -> None:
    """Copy the states of the captions that go on to where the next step reads them."""
    if t + 1 < len(steps):
        prev_h[steps[t + 1]] = _continued(h, steps, t + 1)


def _add_inputs(
    a: Array, inputs: Array, lookup: Array | None, rows: slice, workspace: Workspace
) -> None:
    """Add these rows' inputs, without a new array."""
    if lookup is None:
        a += inputs[:, rows]
        return
    looked_up = workspace("looked up", *a.shape)
    np.take(inputs, lookup[rows], axis=1, out=looked_up, mode="clip")  # other modes buffer `out`
    a += looked_up
