"""The cell of `limner.layers.cho_gru`, with the reset gate before the recurrent product.

    r, z = sigmoid(inputs_rz + h_{t-1} Wh_rz)
    n    = tanh(inputs_n + (r * h_{t-1}) Wh_n)
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
    h, reset, kept = (workspace(name, *prev_h.shape) for name in ("h", "reset", "kept"))
    gates = workspace("gates", 3, *prev_h.shape)
    for t, rows in enumerate(steps):
        a = gates[:, rows]
        np.matmul(prev_h[rows], Wh[:2], out=a[:2])
        a[2] = 0
        sequence.add_inputs(a, rows)
        sigmoid(a[:2], out=a[:2])
        r, z, n = a
        np.multiply(r, prev_h[rows], out=reset[rows])
        n += np.matmul(reset[rows], Wh[2], out=kept[rows])
        np.tanh(n, out=n)
        # h = n + z * (prev_h - n)
        np.subtract(prev_h[rows], n, out=kept[rows])
        np.multiply(z, kept[rows], out=h[rows])
        h[rows] += n
        sequence.carry(h, t)
    return h, (reset, kept, gates)


def backward(
    dh: Float[Array, "P H"], cache: Cache, sequence: PackedSequence, dWh: Float[Array, "m H H"]
) -> tuple[Float[Array, "3 P H"], Float[Array, "N H"]]:
    """Backpropagation through time; da overwrites the gates."""
    reset, kept, gates = cache  # kept = prev_h - n
    steps, prev_h, WhT = sequence.steps, sequence.prev_h, sequence.WhT
    workspace = sequence.workspace
    N, H = steps[0].stop, reset.shape[1]
    dprev_h = workspace("dprev_h", N, H)
    later = 0  # rows that continue in the next step
    for rows in reversed(steps):
        r, z, n = gates[:, rows]
        dh_t, kept_t = dh[rows], kept[rows]
        dh_t[:later] += dprev_h[:later]
        later = len(dh_t)
        # h = (1 - z) * n + z * prev_h;  z = sigmoid(a_z),  da_z = dh (prev_h - n) z (1 - z)
        dprev_h_t = np.multiply(dh_t, z, out=dprev_h[:later])
        kept_t *= dprev_h_t
        np.subtract(dh_t, dprev_h_t, out=dh_t)  # dn
        np.subtract(1, z, out=z)
        z *= kept_t
        # n = tanh(a_n),  da_n = dn (1 - n^2);  a_n = inputs_n + reset Wh_n,  reset = r * prev_h
        n *= n
        np.subtract(1, n, out=n)
        n *= dh_t
        dreset = np.matmul(n, WhT[2], out=workspace("dreset", later, H))
        dreset *= r
        dprev_h_t += dreset
        # r = sigmoid(a_r),  da_r = dreset prev_h r (1 - r)
        dreset *= prev_h[rows]
        np.subtract(1, r, out=r)
        r *= dreset
        # a_r, a_z = inputs_rz + prev_h Wh_rz
        dprev_h_t += np.matmul(r, WhT[0], out=dreset)
        dprev_h_t += np.matmul(z, WhT[1], out=dreset)
    np.matmul(prev_h.T, gates[:2], out=dWh[:2])
    np.matmul(reset.T, gates[2], out=dWh[2])
    return gates, dprev_h


def decode(
    inputs: Float[Array, "3 R H"], state: tuple[Array, ...], Wh: Float[Array, "3 H H"]
) -> tuple[Array, ...]:
    """See `FastCell.decode`."""
    (prev_h,) = state
    rz = np.matmul(prev_h, Wh[:2])
    rz += inputs[:2]
    r, z = sigmoid(rz, out=rz)
    r *= prev_h
    n = np.matmul(r, Wh[2])
    n += inputs[2]
    np.tanh(n, out=n)
    # h = n + z * (prev_h - n)
    h = prev_h - n
    h *= z
    h += n
    return (h,)


CELL = FastCell(forward, backward, decode)
