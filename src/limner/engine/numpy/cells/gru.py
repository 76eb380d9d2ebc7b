"""The cell of `limner.layers.gru`, with the reset gate after the recurrent product.

    r, z = sigmoid(inputs_rz + h_{t-1} Wh_rz)
    n    = tanh(inputs_n + r * (h_{t-1} Wh_n))
    h_t  = (1 - z) * n + z * h_{t-1} = n + z * (h_{t-1} - n)

Shapes: see `base`.
"""

import numpy as np

from limner.engine.numpy.cells.base import Cache, FastCell, PackedSequence
from limner.layers import sigmoid
from limner.typing import Array, Float


def forward(sequence: PackedSequence) -> tuple[Float[Array, "P H"], Cache]:
    """See `FastCell.forward`."""
    steps, prev_h, Wh, workspace = sequence.steps, sequence.prev_h, sequence.Wh, sequence.workspace
    h, recalled, kept = (workspace(name, *prev_h.shape) for name in ("h", "recalled", "kept"))
    gates = workspace("gates", 3, *prev_h.shape)
    for t, rows in enumerate(steps):
        a = gates[:, rows]
        np.matmul(prev_h[rows], Wh, out=a)
        recalled[rows] = a[2]
        a[2] = 0
        sequence.add_inputs(a, rows)
        sigmoid(a[:2], out=a[:2])
        r, z, n = a
        np.multiply(r, recalled[rows], out=kept[rows])
        n += kept[rows]
        np.tanh(n, out=n)
        # h = n + z * (prev_h - n)
        np.subtract(prev_h[rows], n, out=kept[rows])
        np.multiply(z, kept[rows], out=h[rows])
        h[rows] += n
        sequence.carry(h, t)
    return h, (recalled, kept, gates)


def backward(
    dh: Float[Array, "P H"], cache: Cache, sequence: PackedSequence, dWh: Float[Array, "m H H"]
) -> tuple[Float[Array, "3 P H"], Float[Array, "N H"]]:
    """Backpropagation through time; da overwrites the gates.

    The gradients of the inputs and of `prev_h Wh` differ in the third block, by the reset gate.
    """
    recalled, kept, gates = cache  # kept = prev_h - n
    steps, WhT, workspace = sequence.steps, sequence.WhT, sequence.workspace
    N, H = steps[0].stop, recalled.shape[1]
    from_h = workspace("da by h", *gates.shape)
    dprev_h = workspace("dprev_h", N, H)
    later = 0  # rows that continue in the next step
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
        dprev_h_by_gate = workspace("dprev_h by gate", 3, later, H)
        np.matmul(from_h[:, rows], WhT, out=dprev_h_by_gate)
        dprev_h_t += dprev_h_by_gate.sum(axis=0)
    np.matmul(sequence.prev_h.T, from_h, out=dWh)
    return gates, dprev_h


def decode(
    inputs: Float[Array, "3 R H"], state: tuple[Array, ...], Wh: Float[Array, "3 H H"]
) -> tuple[Array, ...]:
    """See `FastCell.decode`."""
    (prev_h,) = state
    r, z, n = a = np.matmul(prev_h, Wh)
    a[:2] += inputs[:2]
    sigmoid(a[:2], out=a[:2])
    n *= r
    n += inputs[2]
    np.tanh(n, out=n)
    # h = n + z * (prev_h - n)
    h = prev_h - n
    h *= z
    h += n
    return (h,)


CELL = FastCell(forward, backward, decode)
