import numpy as np
import pytest

from layers.checks import check_gradients
from limner.layers import attention_backward, attention_forward


def inputs_of(N, L, A, D, rng):
    shapes = (N, L, D), (N, L, A), (N, A), (A,)
    return [rng.standard_normal(shape) for shape in shapes]


@pytest.mark.parametrize(("N", "L", "A", "D"), [(3, 4, 5, 6), (2, 2, 1, 1), (1, 49, 3, 2)])
def test_gradients(N, L, A, D, rng):
    inputs = inputs_of(N, L, A, D, rng)
    _, _, cache = attention_forward(*inputs)
    check_gradients(
        lambda *a: attention_forward(*a)[0],
        lambda dout: attention_backward(dout, cache),
        inputs,
        rng.standard_normal((N, D)),
        tolerance=1e-6,
    )


def test_attention_weights_follow_the_keys(rng):
    values, keys, query, w = inputs_of(2, 5, 3, 4, rng)
    w = np.abs(w) * 100
    keys[:, 2] = 9  # tanh is 1 there, and w rewards it
    context, weights, _ = attention_forward(values, keys, query, w)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights.argmax(axis=1) == 2).all()
    np.testing.assert_allclose(context, (weights[:, :, None] * values).sum(axis=1))


def test_scores_of_any_size_give_finite_weights(rng):
    values, keys, query, w = inputs_of(2, 5, 3, 4, rng)
    context, weights, _ = attention_forward(values, keys, query, w * 1e6)
    assert np.isfinite(context).all()
    assert np.isfinite(weights).all()


@pytest.mark.torch
def test_equals_pytorch(rng):
    torch = pytest.importorskip("torch")
    inputs = inputs_of(3, 4, 5, 6, rng)
    dcontext = rng.standard_normal((3, 6))
    context, _, cache = attention_forward(*inputs)
    values, keys, query, w = leaves = [torch.tensor(a, requires_grad=True) for a in inputs]
    weights = (torch.tanh(keys + query[:, None]) @ w).softmax(dim=1)
    theirs = torch.einsum("nl,nld->nd", weights, values)
    theirs.backward(torch.tensor(dcontext))
    np.testing.assert_allclose(context, theirs.detach().numpy(), rtol=1e-12)
    for ours, leaf in zip(attention_backward(dcontext, cache), leaves, strict=True):
        np.testing.assert_allclose(ours, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)
