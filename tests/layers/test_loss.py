import numpy as np
import pytest

from limner.gradcheck import eval_numerical_gradient, rel_error
from limner.layers import SoftTargets, temporal_softmax_loss


@pytest.mark.parametrize(
    ("N", "T", "p", "expected"), [(100, 1, 1.0, 2.3), (100, 10, 1.0, 23), (5000, 10, 0.1, 2.3)]
)
def test_the_courses_sanity_checks(N, T, p, expected, rng):
    x = 0.001 * rng.standard_normal((N, T, 10))
    y = rng.integers(10, size=(N, T))
    loss, _ = temporal_softmax_loss(x, y, rng.random((N, T)) <= p)
    assert loss == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("N", "T", "V"), [(7, 8, 9), (1, 1, 2), (3, 1, 4)])
def test_gradient(N, T, V, rng):
    x = rng.standard_normal((N, T, V))
    y = rng.integers(V, size=(N, T))
    mask = rng.random((N, T)) > 0.4
    mask[0, 0] = True
    _, dx = temporal_softmax_loss(x, y, mask)
    numerical = eval_numerical_gradient(
        lambda x: float(temporal_softmax_loss(x, y, mask)[0]), x, verbose=False
    )
    assert np.any(dx != 0)
    assert rel_error(dx, numerical) < 1e-7
    assert not dx[~mask].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sign", [1, -1])
def test_huge_scores_are_finite(dtype, sign):
    x = np.zeros((1, 2, 3), dtype=dtype)
    x[..., 0] = sign * 1e4
    with np.errstate(all="raise", under="ignore"):
        loss, dx = temporal_softmax_loss(x, np.array([[0, 1]]), np.ones((1, 2), dtype=bool))
    # sign +: word 0 is certain, word 1 costs 10,000;  sign -: the other way round
    expected = 1e4 if sign > 0 else 1e4 + 2 * np.log(2)
    assert loss == pytest.approx(expected, rel=1e-6)
    assert np.isfinite(dx).all()
    assert dx.dtype == dtype


def test_loss_is_zero_if_everything_is_masked():
    loss, dx = temporal_softmax_loss(
        np.ones((2, 3, 4)), np.zeros((2, 3), int), np.zeros((2, 3), bool)
    )
    assert loss == 0
    assert not dx.any()


def test_verbose_prints_the_shape(capsys):
    temporal_softmax_loss(np.ones((2, 3, 4)), np.zeros((2, 3), int), np.ones((2, 3), bool), True)
    assert capsys.readouterr().out == "dx:  (2, 3, 4)\n"


@pytest.mark.torch
def test_smoothed_labels_equal_pytorchs(rng):
    torch = pytest.importorskip("torch")
    x, y = rng.standard_normal((3, 4, 7)), rng.integers(7, size=(3, 4))
    mask = y != 0
    loss, dx = temporal_softmax_loss(x, y, mask, smoothing=0.1)
    theirs = torch.tensor(x, requires_grad=True)
    expected = (
        torch.nn.functional.cross_entropy(
            theirs.reshape(-1, 7),
            torch.tensor(y).reshape(-1),
            ignore_index=0,
            label_smoothing=0.1,
            reduction="sum",
        )
        / 3
    )
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(dx, theirs.grad.numpy(), atol=1e-14)


def soft_targets_of(rng, N, T, V, K):
    words = rng.permuted(np.tile(np.arange(V), (N, T, 1)), axis=2)[:, :, :K]
    return SoftTargets(words, rng.dirichlet(np.ones(K + 1), (N, T))[:, :, :K] * 0.8)


def test_gradient_of_soft_targets(rng):
    N, T, V = 3, 4, 7
    x, y = rng.standard_normal((N, T, V)), rng.integers(V, size=(N, T))
    weights, soft = rng.uniform(0.5, 2, (N, T)), soft_targets_of(rng, N, T, V, 3)
    _, dx = temporal_softmax_loss(x, y, weights, smoothing=0.1, soft_targets=soft)
    numerical = eval_numerical_gradient(
        lambda x: float(temporal_softmax_loss(x, y, weights, smoothing=0.1, soft_targets=soft)[0]),
        x,
        verbose=False,
    )
    assert np.abs(dx).max() > 0.01  # single entries may be near 0: no relative error of those
    np.testing.assert_allclose(dx, numerical, atol=1e-9)


@pytest.mark.torch
def test_soft_targets_equal_pytorchs(rng):
    torch = pytest.importorskip("torch")
    x, y = rng.standard_normal((3, 4, 7)), rng.integers(7, size=(3, 4))
    soft = soft_targets_of(rng, 3, 4, 7, 3)
    expected = np.full((3, 4, 7), 0.1 / 7)
    for place in np.ndindex(3, 4):
        expected[place][y[place]] += 0.9 - soft.probs[place].sum()
        expected[place][soft.tokens[place]] += soft.probs[place]
    loss, dx = temporal_softmax_loss(x, y, np.ones((3, 4)), smoothing=0.1, soft_targets=soft)
    theirs = torch.tensor(x.reshape(-1, 7), requires_grad=True)
    total = torch.nn.functional.cross_entropy(
        theirs, torch.tensor(expected.reshape(-1, 7)), reduction="sum"
    )
    (total / 3).backward()
    assert loss == pytest.approx(total.item() / 3, rel=1e-12)
    np.testing.assert_allclose(dx.reshape(-1, 7), theirs.grad.numpy(), atol=1e-14)
