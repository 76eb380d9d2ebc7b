import numpy as np
import pytest

from layers.checks import check_gradients
from limner.layers import lstm_backward, lstm_forward, lstm_step_backward, lstm_step_forward

SIZES = [(4, 3, 5, 6), (1, 1, 1, 1), (2, 1, 3, 5), (1, 10, 3, 2)]  # N, T, D, H


def parameters(D, H, rng):
    return (
        rng.standard_normal((D, 4 * H)),
        rng.standard_normal((H, 4 * H)),
        rng.standard_normal(4 * H),
    )


@pytest.mark.parametrize(("N", "T", "D", "H"), SIZES)
@pytest.mark.parametrize("result", ["h", "c", "both"])
def test_step_gradients(N, T, D, H, result, rng):
    inputs = [
        rng.standard_normal((N, D)),
        rng.standard_normal((N, H)),
        rng.standard_normal((N, H)),
        *parameters(D, H, rng),
    ]
    _, _, cache = lstm_step_forward(*inputs)
    use_h, use_c = result != "c", result != "h"

    def forward(*arguments):
        next_h, next_c, _ = lstm_step_forward(*arguments)
        return np.stack([next_h * use_h, next_c * use_c])

    check_gradients(
        forward,
        lambda dout: lstm_step_backward(dout[0] * use_h, dout[1] * use_c, cache),
        inputs,
        rng.standard_normal((2, N, H)),
        tolerance=1e-6,
    )


@pytest.mark.parametrize(("N", "T", "D", "H"), SIZES)
def test_sequence_gradients(N, T, D, H, rng):
    inputs = [rng.standard_normal((N, T, D)), rng.standard_normal((N, H)), *parameters(D, H, rng)]
    out, caches = lstm_forward(*inputs)
    check_gradients(
        lambda *a: lstm_forward(*a)[0],
        lambda dout: lstm_backward(dout, caches),
        inputs,
        rng.standard_normal(out.shape),
        tolerance=1e-6,
    )


def test_the_courses_step():
    N, D, H = 3, 4, 5
    next_h, next_c, _ = lstm_step_forward(
        np.linspace(-0.4, 1.2, num=N * D).reshape(N, D),
        np.linspace(-0.3, 0.7, num=N * H).reshape(N, H),
        np.linspace(-0.4, 0.9, num=N * H).reshape(N, H),
        np.linspace(-2.1, 1.3, num=4 * D * H).reshape(D, 4 * H),
        np.linspace(-0.7, 2.2, num=4 * H * H).reshape(H, 4 * H),
        np.linspace(0.3, 0.7, num=4 * H),
    )
    expected_next_h = [
        [0.24635157, 0.28610883, 0.32240467, 0.35525807, 0.38474904],
        [0.49223563, 0.55611431, 0.61507696, 0.66844003, 0.7159181],
        [0.56735664, 0.66310127, 0.74419266, 0.80889665, 0.858299],
    ]
    expected_next_c = [
        [0.32986176, 0.39145139, 0.451556, 0.51014116, 0.56717407],
        [0.66382255, 0.76674007, 0.87195994, 0.97902709, 1.08751345],
        [0.74192008, 0.90592151, 1.07717006, 1.25120233, 1.42395676],
    ]
    np.testing.assert_allclose(next_h, expected_next_h, atol=1e-8)
    np.testing.assert_allclose(next_c, expected_next_c, atol=1e-8)


@pytest.mark.torch
def test_equals_pytorch(rng):
    torch = pytest.importorskip("torch")
    N, T, D, H = 3, 4, 5, 6
    x, h0 = rng.standard_normal((N, T, D)), rng.standard_normal((N, H))
    Wx, Wh, b = parameters(D, H, rng)
    dh = rng.standard_normal((N, T, H))
    h, caches = lstm_forward(x, h0, Wx, Wh, b)
    dx, dh0, dWx, dWh, db = lstm_backward(dh, caches)

    def torch_order(w):  # ours is i, f, o, g; PyTorch's is i, f, g, o
        i, f, o, g = np.split(w, 4, axis=-1)
        return np.concatenate([i, f, g, o], axis=-1)

    net = torch.nn.LSTM(D, H, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        net.weight_ih_l0.copy_(torch.tensor(torch_order(Wx).T))
        net.weight_hh_l0.copy_(torch.tensor(torch_order(Wh).T))
        net.bias_ih_l0.copy_(torch.tensor(torch_order(b)))
        net.bias_hh_l0.zero_()
    tx = torch.tensor(x, requires_grad=True)
    th0 = torch.tensor(h0[None], requires_grad=True)
    out, _ = net(tx, (th0, torch.zeros_like(th0)))
    out.backward(torch.tensor(dh))
    for ours, theirs in [
        (h, out.detach()),
        (dx, tx.grad),
        (dh0, th0.grad[0]),
        (torch_order(dWx), net.weight_ih_l0.grad.T),
        (torch_order(dWh), net.weight_hh_l0.grad.T),
        (torch_order(db), net.bias_ih_l0.grad),
    ]:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-12)
