"""The cell of `limner.layers.rnn`: `h_t = tanh(inputs_t + h_{t-1} Wh)`. Shapes: see `base`."""

import numpy as np

from limner.engine.numpy.cells.base import Cache, FastCell, PackedSequence
from limner.typing import Array, Float


def forward(sequence: PackedSequence) -> tuple[Float[Array, "P H"], Cache]:
    """See `FastCell.forward`."""
    steps, prev_h, Wh, workspace = sequence.steps, sequence.prev_h, sequence.Wh, sequence.workspace
    h = workspace("h", *prev_h.shape)
    a = h[None]
    for t, rows in enumerate(steps):
        np.matmul(prev_h[rows], Wh, out=a[:, rows])
        sequence.add_inputs(a[:, rows], rows)
        np.tanh(h[rows], out=h[rows])
        sequence.carry(h, t)
    return h, (h,)


def backward(
    dh: Float[Array, "P H"], cache: Cache, sequence: PackedSequence, dWh: Float[Array, "m H H"]
) -> tuple[Float[Array, "1 P H"], Float[Array, "N H"]]:
    """Backpropagation through time; da overwrites dh."""
    (h,), steps, WhT = cache, sequence.steps, sequence.WhT
    dprev_h = sequence.workspace("dprev_h", steps[0].stop, h.shape[1])
    later = 0  # rows that continue in the next step
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
    np.matmul(sequence.prev_h.T, dh, out=dWh[0])
    return dh[None], dprev_h


def decode(
    inputs: Float[Array, "1 R H"], state: tuple[Array, ...], Wh: Float[Array, "1 H H"]
) -> tuple[Array, ...]:
    """See `FastCell.decode`."""
    (prev_h,) = state
    a = np.matmul(prev_h, Wh)
    a += inputs
    return (np.tanh(a[0], out=a[0]),)


CELL = FastCell(forward, backward, decode)
