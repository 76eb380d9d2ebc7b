import numpy as np
import pytest

from limner.decoding import GREEDY, decode
from limner.engine import NumpyEngine
from limner.engine.base import Regularization
from limner.engine.numpy import fast_decoder
from limner.engine.numpy.engine import draw_mask
from limner.gradcheck import eval_numerical_gradient, rel_error
from limner.layers import SoftTargets
from limner.models import AttentionRNN, Batch

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "cat": 4, "dog": 5}
CAPTIONS = np.array([[1, 4, 5, 2], [1, 5, 2, 0], [1, 0, 4, 2], [0, 0, 0, 0]])
IMAGES = np.array([1, 0, 1, 1])


def small_model(rng, dtype=np.float64):
    model = AttentionRNN(WORDS, 5, 3, 4, 2, 6, dtype=dtype, rng=rng)
    for name, param in model.params.items():  # biases too, or their use goes unseen
        model.params[name] = param + 0.1 * rng.standard_normal(param.shape).astype(dtype)
    return model


def batch_of(model, rng):
    return Batch(
        rng.standard_normal((2, 3, 5)).astype(model.dtype),
        CAPTIONS,
        IMAGES,
        np.array([1.0, -0.5, 2.0, 1.0]),
        np.array([[1, 4, 4], [1, 0, 2], [5, 0, 4], [0, 0, 0]]),
        SoftTargets(rng.integers(len(WORDS), size=(4, 3, 2)), rng.uniform(0, 0.3, (4, 3, 2))),
    )


def masks_of(model, batch, rng, rate=0.2):
    sites = model.dropout_sites(batch)
    return {site: draw_mask(rng, rate, shape, model.dtype) for site, shape in sites.items()}


def test_gradients(rng):
    model = small_model(rng)
    batch = batch_of(model, rng)
    how = {"masks": masks_of(model, batch, rng), "label_smoothing": 0.1}
    _, grads = model.loss(batch, **how)
    assert set(grads) == set(model.params)
    for name, grad in grads.items():
        numerical = eval_numerical_gradient(
            lambda _: float(model.loss(batch, **how)[0]), model.params[name], verbose=False, h=1e-6
        )
        assert np.any(grad != 0), name
        assert rel_error(numerical, grad) < 1e-6 or np.allclose(numerical, grad, atol=1e-8), name


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_the_engine_agrees(rate, dtype, tolerance, rng):
    model = small_model(rng, dtype)
    engine = NumpyEngine(model, regularization=Regularization(label_smoothing=0.1))
    for _ in range(3):  # the workspace is used again
        batch = batch_of(model, rng)
        masks = masks_of(model, batch, rng, rate) if rate else {}
        loss, grads = model.loss(batch, masks=masks, label_smoothing=0.1)
        fast_loss, fast_grads = engine.loss_and_grads(batch, masks)
        assert fast_loss == pytest.approx(float(loss), rel=tolerance)
        for name, grad in grads.items():
            assert fast_grads[name].dtype == dtype
            atol = tolerance * np.abs(grad).max()
            np.testing.assert_allclose(fast_grads[name], grad, rtol=0, atol=atol, err_msg=name)


def test_steps_of_different_batches_agree(rng):
    model = small_model(rng)
    engine = NumpyEngine(model)
    for N, T, L in [(4, 6, 3), (2, 3, 7), (6, 8, 2)]:
        batch = Batch(rng.standard_normal((N, L, 5)), rng.integers(6, size=(N, T)))
        loss, grads = model.loss(batch)
        fast_loss, fast_grads = engine.loss_and_grads(batch)
        assert fast_loss == pytest.approx(float(loss), rel=1e-10)
        for name, grad in grads.items():
            np.testing.assert_allclose(fast_grads[name], grad, rtol=0, atol=1e-11, err_msg=name)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_the_fast_decoder_is_the_model_and_the_model_is_its_loss(dtype, tolerance, rng):
    model = small_model(rng, dtype)
    features = rng.standard_normal((3, 7, 5)).astype(dtype)
    captions = rng.integers(1, 6, size=(3, 5))
    plain_state = fast_state = model.start(features)
    fast = fast_decoder(model)
    log_probability = 0.0
    for t in range(4):
        scores, plain_state = model.step(captions[:, t], plain_state)
        fast_scores, fast_state = fast.step(captions[:, t], fast_state)
        np.testing.assert_allclose(fast_scores, scores, rtol=tolerance, atol=tolerance)
        log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        log_probability += log_probs[np.arange(3), captions[:, t + 1]].sum()
    loss, _ = model.loss(Batch(features, captions))
    assert float(loss) == pytest.approx(-log_probability / 3, rel=1e-4)


def test_attention_weights(rng):
    model = small_model(rng)
    weights = model.attention_weights(model.start(rng.standard_normal((3, 7, 5))))
    assert weights.shape == (3, 7)
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_captions_and_shapes(rng):
    model = small_model(rng)
    features = rng.standard_normal((2, 49, 5))
    tokens, log_probs = decode(model, features, GREEDY.changed(max_length=6, beam_size=3), WORDS)
    assert tokens.shape == (2, 1, 6)
    assert (log_probs < 0).all()
    again = AttentionRNN.from_config(model.config, WORDS, model.input_dim)
    assert {k: v.shape for k, v in again.params.items()} == {
        k: v.shape for k, v in model.params.items()
    }
    with pytest.raises(ValueError, match=r"expected \(N, L, D\) = \(N, L, 5\), got \(2, 5\)"):
        model.sample(np.ones((2, 5)))


def test_overfits_two_images(rng):
    model = AttentionRNN(WORDS, 5, 8, 8, 8, 8, rng=rng)
    features = rng.standard_normal((2, 3, 5)).astype(np.float32)
    captions = np.array([[1, 4, 5, 2], [1, 5, 2, 0]])
    engine = NumpyEngine(model, "adam")
    for _ in range(150):
        engine.step(Batch(features, captions), learning_rate=1e-2)
    assert model.sample(features, max_length=3).tolist() == [[4, 5, 2], [5, 2, 0]]
