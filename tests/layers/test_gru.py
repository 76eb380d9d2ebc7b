import numpy as np
import pytest

from layers.checks import check_gradients
from limner.layers import gru_backward, gru_forward, gru_step_backward, gru_step_forward

SIZES = [(4, 3, 5, 6), (1, 1, 1, 1), (2, 1, 3, 5), (1, 10, 3, 2)]  # N, T, D, H


def parameters(D, H, rng):
    return (
        rng.standard_normal((D, 3 * H)),
        rng.standard_normal((H, 3 * H)),
        rng.standard_normal(3 * H),
    )


@pytest.mark.parametrize(("N", "T", "D", "H"), SIZES)
def test_step_gradients(N, T, D, H, rng):
    inputs = [rng.standard_normal((N, D)), rng.standard_normal((N, H)), *parameters(D, H, rng)]
    out, cache = gru_step_forward(*inputs)
    check_gradients(
        lambda *a: gru_step_forward(*a)[0],
        lambda dout: gru_step_backward(dout, cache),
        inputs,
        rng.standard_normal(out.shape),
        tolerance=1e-6,
    )


@pytest.mark.parametrize(("N", "T", "D", "H"), SIZES)
def test_sequence_gradients(N, T, D, H, rng):
    inputs = [rng.standard_normal((N, T, D)), rng.standard_normal((N, H)), *parameters(D, H, rng)]
    out, caches = gru_forward(*inputs)
    check_gradients(
        lambda *a: gru_forward(*a)[0],
        lambda dout: gru_backward(dout, caches),
        inputs,
        rng.standard_normal(out.shape),
        tolerance=1e-6,
    )


@pytest.mark.torch
def test_equals_pytorch(rng):
    torch = pytest.importorskip("torch")
    N, T, D, H = 3, 4, 5, 6
    x, h0 = rng.standard_normal((N, T, D)), rng.standard_normal((N, H))
    Wx, Wh, b = parameters(D, H, rng)
    dh = rng.standard_normal((N, T, H))
    h, caches = gru_forward(x, h0, Wx, Wh, b)
    dx, dh0, dWx, dWh, db = gru_backward(dh, caches)

    net = torch.nn.GRU(D, H, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        net.weight_ih_l0.copy_(torch.tensor(Wx.T))
        net.weight_hh_l0.copy_(torch.tensor(Wh.T))
        net.bias_ih_l0.copy_(torch.tensor(b))
        net.bias_hh_l0.zero_()
    tx = torch.tensor(x, requires_grad=True)
    th0 = torch.tensor(h0[None], requires_grad=True)
    out, _ = net(tx, th0)
    out.backward(torch.tensor(dh))
    for ours, theirs in [
        (h, out.detach()),
        (dx, tx.grad),
        (dh0, th0.grad[0]),
        (dWx, net.weight_ih_l0.grad.T),
        (dWh, net.weight_hh_l0.grad.T),
        (db, net.bias_ih_l0.grad),
    ]:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-12)
