"""What every recurrent cell must do, whatever its formulas: gradients, types, the order in time.

Shapes: N sequences, T time steps, D input, H hidden; m gates.
"""

import numpy as np
import pytest

from layers.checks import check_gradients
from limner.layers.cells import CELLS

SIZES = [(4, 3, 5, 6), (1, 1, 1, 1), (2, 1, 3, 5), (1, 10, 3, 2)]  # N, T, D, H

every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
every_size = pytest.mark.parametrize(("N", "T", "D", "H"), SIZES)


def parameters(cell, D, H, rng):
    """Wx, Wh and b, so small that no gate is shut: its gradient would be lost in rounding."""
    shapes = (D, cell.gates * H), (H, cell.gates * H), (cell.gates * H,)
    return [rng.standard_normal(shape) / np.sqrt(shape[0]) for shape in shapes]


def sequence(cell, N, T, D, H, rng):
    """x, h0, Wx, Wh, b."""
    x, h0 = rng.standard_normal((N, T, D)), rng.standard_normal((N, H))
    return [x, h0, *parameters(cell, D, H, rng)]


@pytest.mark.parametrize(
    ("cell", "used"),
    [(cell, used) for cell in CELLS.values() for used in (*range(cell.states), None)],
    ids=[f"{name}-{used}" for name in CELLS for used in (*range(CELLS[name].states), "all")],
)
@every_size
def test_step_gradients(cell, used, N, T, D, H, rng):
    """From one array of the state, or from all of it."""
    states = [rng.standard_normal((N, H)) for _ in range(cell.states)]
    inputs = [rng.standard_normal((N, D)), *states, *parameters(cell, D, H, rng)]
    *_, cache = cell.step_forward(*inputs)
    weights = [used in (None, state) for state in range(cell.states)]

    def forward(*arguments):
        *after, _ = cell.step_forward(*arguments)
        return np.stack([weight * state for weight, state in zip(weights, after, strict=True)])

    def backward(dout):
        dstates = [weight * d for weight, d in zip(weights, dout, strict=True)]
        return cell.step_backward(*dstates, cache)

    check_gradients(forward, backward, inputs, rng.standard_normal((cell.states, N, H)), 1e-6)


@every_cell
@every_size
def test_sequence_gradients(cell, N, T, D, H, rng):
    inputs = sequence(cell, N, T, D, H, rng)
    out, caches = cell.forward(*inputs)
    check_gradients(
        lambda *a: cell.forward(*a)[0],
        lambda dout: cell.backward(dout, caches),
        inputs,
        rng.standard_normal(out.shape),
        tolerance=1e-6,
    )


@every_cell
@every_size
def test_a_sequence_is_its_steps(cell, N, T, D, H, rng):
    x, h0, *weights = sequence(cell, N, T, D, H, rng)
    h, _ = cell.forward(x, h0, *weights)
    states = [h0, *(np.zeros((N, H)) for _ in range(cell.states - 1))]
    for t in range(T):
        *states, _ = cell.step_forward(x[:, t], *states, *weights)
        np.testing.assert_array_equal(h[:, t], states[0])


@every_cell
def test_a_step_changes_none_of_its_inputs(cell, rng):
    states = [rng.standard_normal((2, 4)) for _ in range(cell.states)]
    inputs = [rng.standard_normal((2, 3)), *states, *parameters(cell, 3, 4, rng)]
    before = [array.copy() for array in inputs]
    *after, cache = cell.step_forward(*inputs)
    cell.step_backward(*after, cache)
    for array, kept in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, kept)


@every_cell
def test_the_gradient_of_a_step_reaches_no_later_input(cell, rng):
    inputs = sequence(cell, 2, 5, 3, 4, rng)
    h, caches = cell.forward(*inputs)
    dh = np.zeros_like(h)
    dh[:, 2] = 1
    dx, *_ = cell.backward(dh, caches)
    assert (dx[:, :3] != 0).all()
    assert not dx[:, 3:].any()


@every_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_type_stays(cell, dtype, rng):
    x, h0, *weights = (array.astype(dtype) for array in sequence(cell, 2, 3, 4, 5, rng))
    h, caches = cell.forward(x, h0, *weights)
    *states, cache = cell.step_forward(x[:, 0], *[h0] * cell.states, *weights)
    found = [h, *cell.backward(h, caches), *states, *cell.step_backward(*states, cache)]
    assert {array.dtype for array in found} == {np.dtype(dtype)}


def of_pytorch(kind, order):
    """PyTorch's own network, whose blocks of weights stand in another order."""

    def run(torch, x, h0, Wx, Wh, b):
        def blocks(w):
            return torch.cat([w.chunk(len(order), dim=-1)[i] for i in order], dim=-1)

        net = getattr(torch.nn, kind)(len(Wx), len(Wh), batch_first=True, dtype=torch.float64)
        weights = {"weight_ih_l0": blocks(Wx).T, "weight_hh_l0": blocks(Wh).T}
        weights |= {"bias_ih_l0": blocks(b), "bias_hh_l0": torch.zeros_like(b)}
        state = (h0[None], torch.zeros_like(h0[None])) if kind == "LSTM" else h0[None]
        return torch.func.functional_call(net, weights, (x, state))[0]

    return run


def cho_gru(torch, x, h0, Wx, Wh, b):
    """PyTorch has no such cell: the paper's formulas, differentiated by autograd."""
    h, out = h0, []
    Wr, Wz, Wn = Wh.chunk(3, dim=1)
    for t in range(x.shape[1]):
        r, z, n = (x[:, t] @ Wx + b).chunk(3, dim=1)
        r, z = torch.sigmoid(r + h @ Wr), torch.sigmoid(z + h @ Wz)
        h = (1 - z) * torch.tanh(n + (r * h) @ Wn) + z * h
        out.append(h)
    return torch.stack(out, dim=1)


ORACLES = {
    "cho_gru": cho_gru,
    "rnn": of_pytorch("RNN", [0]),
    "gru": of_pytorch("GRU", [0, 1, 2]),
    "lstm": of_pytorch("LSTM", [0, 1, 3, 2]),
}
"""Another program's forward pass by cell: (torch, x, h0, Wx, Wh, b) -> h."""


@pytest.mark.torch
@pytest.mark.parametrize("name", CELLS)
def test_equals_the_oracle(name, rng):
    torch = pytest.importorskip("torch")
    cell, inputs = CELLS[name], sequence(CELLS[name], 3, 4, 5, 6, rng)
    h, caches = cell.forward(*inputs)
    dh = rng.standard_normal(h.shape)
    leaves = [torch.tensor(array, requires_grad=True) for array in inputs]
    theirs = ORACLES[name](torch, *leaves)
    theirs.backward(torch.tensor(dh))
    np.testing.assert_allclose(h, theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    for gradient, leaf in zip(cell.backward(dh, caches), leaves, strict=True):
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)
