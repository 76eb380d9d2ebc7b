import numpy as np
import pytest

from layers.checks import check_gradients
from limner.layers import rnn_backward, rnn_forward, rnn_step_backward, rnn_step_forward

SIZES = [(4, 3, 5, 6), (1, 1, 1, 1), (2, 1, 3, 5), (1, 10, 3, 2)]  # N, T, D, H


def parameters(D, H, rng):
    return rng.standard_normal((D, H)), rng.standard_normal((H, H)), rng.standard_normal(H)


@pytest.mark.parametrize(("N", "T", "D", "H"), SIZES)
def test_step_gradients(N, T, D, H, rng):
    inputs = [rng.standard_normal((N, D)), rng.standard_normal((N, H)), *parameters(D, H, rng)]
    out, cache = rnn_step_forward(*inputs)
    check_gradients(
        lambda *a: rnn_step_forward(*a)[0],
        lambda dout: rnn_step_backward(dout, cache),
        inputs,
        rng.standard_normal(out.shape),
    )


@pytest.mark.parametrize(("N", "T", "D", "H"), SIZES)
def test_sequence_gradients(N, T, D, H, rng):
    inputs = [rng.standard_normal((N, T, D)), rng.standard_normal((N, H)), *parameters(D, H, rng)]
    out, caches = rnn_forward(*inputs)
    check_gradients(
        lambda *a: rnn_forward(*a)[0],
        lambda dout: rnn_backward(dout, caches),
        inputs,
        rng.standard_normal(out.shape),
        tolerance=1e-6,
    )


def test_the_courses_step():
    N, D, H = 3, 10, 4
    next_h, _ = rnn_step_forward(
        np.linspace(-0.4, 0.7, num=N * D).reshape(N, D),
        np.linspace(-0.2, 0.5, num=N * H).reshape(N, H),
        np.linspace(-0.1, 0.9, num=D * H).reshape(D, H),
        np.linspace(-0.3, 0.7, num=H * H).reshape(H, H),
        np.linspace(-0.2, 0.4, num=H),
    )
    expected = [
        [-0.58172089, -0.50182032, -0.41232771, -0.31410098],
        [0.66854692, 0.79562378, 0.87755553, 0.92795967],
        [0.97934501, 0.99144213, 0.99646691, 0.99854353],
    ]
    np.testing.assert_allclose(next_h, expected, atol=5e-9)


def test_the_courses_sequence():
    N, T, D, H = 2, 3, 4, 5
    h, _ = rnn_forward(
        np.linspace(-0.1, 0.3, num=N * T * D).reshape(N, T, D),
        np.linspace(-0.3, 0.1, num=N * H).reshape(N, H),
        np.linspace(-0.2, 0.4, num=D * H).reshape(D, H),
        np.linspace(-0.4, 0.1, num=H * H).reshape(H, H),
        np.linspace(-0.7, 0.1, num=H),
    )
    expected = [
        [
            [-0.42070749, -0.27279261, -0.11074945, 0.05740409, 0.22236251],
            [-0.39525808, -0.22554661, -0.0409454, 0.14649412, 0.32397316],
            [-0.42305111, -0.24223728, -0.04287027, 0.15997045, 0.35014525],
        ],
        [
            [-0.55857474, -0.39065825, -0.19198182, 0.02378408, 0.23735671],
            [-0.27150199, -0.07088804, 0.13562939, 0.33099728, 0.50158768],
            [-0.51014825, -0.30524429, -0.06755202, 0.17806392, 0.40333043],
        ],
    ]
    np.testing.assert_allclose(h, expected, atol=1e-8)


@pytest.mark.torch
def test_equals_pytorch(rng):
    torch = pytest.importorskip("torch")
    N, T, D, H = 3, 4, 5, 6
    x, h0 = rng.standard_normal((N, T, D)), rng.standard_normal((N, H))
    Wx, Wh, b = parameters(D, H, rng)
    dh = rng.standard_normal((N, T, H))
    h, caches = rnn_forward(x, h0, Wx, Wh, b)
    dx, dh0, dWx, dWh, db = rnn_backward(dh, caches)

    net = torch.nn.RNN(D, H, batch_first=True, dtype=torch.float64)
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
