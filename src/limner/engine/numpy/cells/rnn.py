"""The cell of `limner.layers.rnn`: `h_t = tanh(inputs_t + h_{t-1} Wh)`. Shapes: see `base`."""

import numpy as np

from limner.engine.numpy.cells.base import Cache, FastCell, Steps, add_inputs, hand_on
from limner.engine.numpy.workspace import Workspace
from limner.typing import Array, Float, Int


def forward(
    inputs: Float[Array, "1 U H"],
    lookup: Int[Array, " P"] | None,
    steps: Steps,
    prev_h: Float[Array, "P H"],
    Wh: Float[Array, "1 H H"],
    workspace: Workspace,
) -> tuple[Float[Array, "P H"], Cache]:
    """See `FastCell.forward`."""
    h = workspace("h", *prev_h.shape)
    a = h[None]
    for t, rows in enumerate(steps):
        np.matmul(prev_h[rows], Wh, out=a[:, rows])
        add_inputs(a[:, rows], inputs, lookup, rows, workspace)
        np.tanh(h[rows], out=h[rows])
        hand_on(h, prev_h, steps, t)
    return h, (h, prev_h)


def backward(
    dh: Float[Array, "P H"],
    cache: Cache,
    steps: Steps,
    WhT: Float[Array, "1 H H"],
    dWh: Float[Array, "1 H H"],
    workspace: Workspace,
) -> tuple[Float[Array, "1 P H"], Float[Array, "N H"]]:
    """Backpropagation through time; da stands in the place of dh."""
    h, prev_h = cache
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
    np.matmul(prev_h.T, dh, out=dWh[0])
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
