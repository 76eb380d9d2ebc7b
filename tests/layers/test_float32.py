"""float32 in gives float32 out, from every layer; of cells in test_cells.py."""

import numpy as np
import pytest

from limner import layers

N, T, D, H, V = 3, 4, 5, 6, 7


def f32(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def arrays(value):
    """All arrays in nested tuples and lists."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from arrays(item)
    elif isinstance(value, (np.ndarray, np.floating)):
        yield value


ROUND_TRIPS = {
    "affine": (layers.affine_forward, layers.affine_backward, (f32(N, D), f32(D, H), f32(H))),
    "temporal_affine": (
        layers.temporal_affine_forward,
        layers.temporal_affine_backward,
        (f32(N, T, D), f32(D, H), f32(H)),
    ),
    "word_embedding": (
        layers.word_embedding_forward,
        layers.word_embedding_backward,
        (np.ones((N, T), int), f32(V, D)),
    ),
}


def test_attention():
    values, keys, query, w = f32(N, T, D), f32(N, T, H), f32(N, H), f32(H)
    context, weights, cache = layers.attention_forward(values, keys, query, w)
    found = [context, weights, *layers.attention_backward(context, cache)]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_forward_and_backward(name):
    forward, backward, inputs = ROUND_TRIPS[name]
    out, cache = forward(*inputs)
    found = [out, *arrays(backward(np.ones_like(out), cache))]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


def test_softmax_loss():
    loss, dx = layers.temporal_softmax_loss(
        f32(N, T, V), np.ones((N, T), int), np.ones((N, T), bool)
    )
    assert loss.dtype == dx.dtype == np.float32


def test_sigmoid():
    assert layers.sigmoid(f32(N)).dtype == np.float32
