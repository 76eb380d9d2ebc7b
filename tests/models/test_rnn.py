import numpy as np
import pytest

from limner.decoding import GREEDY, decode
from limner.engine import NumpyEngine
from limner.engine.numpy.engine import draw_mask
from limner.gradcheck import eval_numerical_gradient, rel_error
from limner.layers import SoftTargets, rnn_forward, temporal_affine_forward, word_embedding_forward
from limner.layers.cells import CELLS
from limner.models import Batch, CaptioningRNN, RNNConfig

COURSE_WORDS = {"<NULL>": 0, "cat": 2, "dog": 3}
WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "cat": 4, "dog": 5}


def small_model(cell_type, dtype=np.float64, words=WORDS, seed=0):
    return CaptioningRNN(words, 4, 5, 6, cell_type, dtype, rng=np.random.default_rng(seed))


def soft_targets(tokens=3, K=2):
    return SoftTargets(np.full((1, 2, 2), tokens), np.full((1, 2, K), 0.25))


@pytest.mark.parametrize(
    ("cell_type", "low", "high", "expected"),
    [("rnn", -1.5, 0.3, 9.83235591003), ("lstm", -0.5, 1.7, 9.82445935443)],
)
def test_the_courses_loss(cell_type, low, high, expected):
    N, D, W, H, T = 10, 20, 30, 40, 13
    model = CaptioningRNN(COURSE_WORDS, D, W, H, cell_type, np.float64)
    for name, param in model.params.items():
        model.params[name] = np.linspace(-1.4, 1.3, num=param.size).reshape(param.shape)
    features = np.linspace(low, high, num=N * D).reshape(N, D)
    captions = (np.arange(N * T) % 3).reshape(N, T)
    loss, _ = model.loss(features, captions)
    assert abs(loss - expected) < 1e-10


def test_the_courses_parameters():
    """The same seed of np.random draws what the course's code draws, in its order."""
    np.random.seed(231)
    model = CaptioningRNN(WORDS, 7, 5, 4, "lstm", np.float64)
    np.random.seed(231)
    np.testing.assert_array_equal(model.params["W_embed"], np.random.randn(6, 5) / 100)
    np.testing.assert_array_equal(model.params["W_proj"], np.random.randn(7, 4) / np.sqrt(7))
    np.testing.assert_array_equal(model.params["Wx"], np.random.randn(5, 16) / np.sqrt(5))
    np.testing.assert_array_equal(model.params["Wh"], np.random.randn(4, 16) / np.sqrt(4))
    np.testing.assert_array_equal(model.params["W_vocab"], np.random.randn(4, 6) / np.sqrt(4))
    for name, size in (("b_proj", 4), ("b", 16), ("b_vocab", 6)):
        assert model.params[name].tolist() == [0.0] * size


@pytest.mark.parametrize("cell_type", CELLS)
@pytest.mark.parametrize("T", [2, 4])
def test_gradients(cell_type, T, rng):
    model = small_model(cell_type, words=COURSE_WORDS)
    captions = rng.integers(3, size=(2, T))  # NULLs stand in the middle too
    captions[0, 1] = 2
    features = rng.standard_normal((2, 4))
    _, grads = model.loss(features, captions)
    assert set(grads) == set(model.params)
    for name, grad in grads.items():
        numerical = eval_numerical_gradient(
            lambda _: float(model.loss(features, captions)[0]),
            model.params[name],
            verbose=False,
            h=1e-6,
        )
        assert np.any(grad != 0), name
        assert rel_error(numerical, grad) < 1e-6 or np.allclose(numerical, grad, atol=1e-9), name


def numerically_checked(model, batch, **how):
    _, grads = model.loss(batch, **how)
    assert set(grads) == set(model.params)
    for name, grad in grads.items():
        numerical = eval_numerical_gradient(
            lambda _: float(model.loss(batch, **how)[0]), model.params[name], verbose=False, h=1e-6
        )
        assert np.any(grad != 0), name
        assert rel_error(numerical, grad) < 1e-6 or np.allclose(numerical, grad, atol=1e-9), name


@pytest.mark.parametrize(
    "options",
    [{"num_layers": 2}, {"tied": True}, {"num_layers": 3, "tied": True, "cell_type": "gru"}],
    ids=str,
)
def test_gradients_with_every_option(options, rng):
    words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    options = {"cell_type": "lstm", **options}
    model = CaptioningRNN(words, 4, 5, 5, dtype=np.float64, rng=rng, **options)
    batch = Batch(
        rng.standard_normal((2, 4)),
        np.array([[1, 3, 3, 2], [1, 3, 2, 0], [1, 2, 0, 0]]),
        np.array([1, 0, 1]),
        np.array([1.0, -0.5, 2.0]),
        np.array([[1, 2, 3], [1, 3, 1], [3, 2, 0]]),
    )
    sites = model.dropout_sites(batch)
    masks = {site: draw_mask(rng, 0.2, shape, np.float64) for site, shape in sites.items()}
    numerically_checked(model, batch, masks=masks, label_smoothing=0.2)


def test_standardised_features(rng):
    model, plain = (small_model("lstm") for _ in range(2))
    mean, std = rng.standard_normal(4), rng.random(4) + 0.5
    model.feature_mean, model.feature_std = mean, std
    x, captions = rng.standard_normal((3, 4)), rng.integers(6, size=(3, 5))
    assert model.loss(x * std + mean, captions)[0] == pytest.approx(plain.loss(x, captions)[0])
    np.testing.assert_array_equal(model.sample(x * std + mean), plain.sample(x))


def test_forget_bias_and_tied_sizes():
    biased = CaptioningRNN(WORDS, 4, 5, 3, "lstm", forget_bias=1.0)
    assert biased.params["b"].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="expected `wordvec_dim` 5 to equal `hidden_dim` 3"):
        CaptioningRNN(WORDS, 4, 5, 3, tied=True)
    with pytest.raises(ValueError, match="`num_layers` 0"):
        CaptioningRNN(WORDS, num_layers=0)


def test_the_loss_is_that_of_its_layers(rng):
    model = small_model("rnn")
    features, captions = rng.standard_normal((3, 4)), rng.integers(6, size=(3, 5))
    p = model.params
    x, _ = word_embedding_forward(captions[:, :-1], p["W_embed"])
    h, _ = rnn_forward(x, features @ p["W_proj"] + p["b_proj"], p["Wx"], p["Wh"], p["b"])
    scores, _ = temporal_affine_forward(h, p["W_vocab"], p["b_vocab"])
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    expected = 0.0
    for n in range(3):
        for t in range(4):
            if captions[n, t + 1] != 0:
                expected -= np.log(probabilities[n, t, captions[n, t + 1]]) / 3
    assert model.loss(features, captions)[0] == pytest.approx(expected, rel=1e-12)


def test_padding_changes_nothing(rng):
    model = small_model("lstm")
    features, captions = rng.standard_normal((3, 4)), rng.integers(1, 6, size=(3, 5))
    padded = np.pad(captions, ((0, 0), (0, 4)))
    loss, grads = model.loss(features, captions)
    padded_loss, padded_grads = model.loss(features, padded)
    assert padded_loss == pytest.approx(loss, rel=1e-12)
    for name, grad in grads.items():
        np.testing.assert_allclose(padded_grads[name], grad, atol=1e-12)


@pytest.mark.parametrize("cell_type", CELLS)
def test_float32_stays_float32(cell_type, rng):
    model = small_model(cell_type, np.float32)
    loss, grads = model.loss(rng.standard_normal((2, 4)), rng.integers(6, size=(2, 5)))
    assert loss.dtype == np.float32
    assert {grad.dtype for grad in grads.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("cell_type", CELLS)
def test_one_step_is_the_loss_functions_step(cell_type, rng):
    """Decoding word by word sees the scores that training sees."""
    model = small_model(cell_type)
    features, captions = rng.standard_normal((3, 4)), rng.integers(1, 6, size=(3, 6))
    state, log_likelihood = model.start(features), 0.0
    for t in range(5):
        scores, state = model.step(captions[:, t], state)
        shifted = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        log_likelihood += shifted[np.arange(3), captions[:, t + 1]].sum()
    assert model.loss(features, captions)[0] == pytest.approx(-log_likelihood / 3, rel=1e-12)


def test_sample_is_greedy_and_fills_with_null(rng):
    model = small_model("lstm")
    model.params["W_vocab"][:] = 0
    model.params["b_vocab"][:] = [0, 0, 1, 3, 2, 0]
    features = rng.standard_normal((2, 4))
    assert model.sample(features, max_length=3).tolist() == [[3, 3, 3]] * 2
    model.params["b_vocab"][2] = 9
    sampled = model.sample(features, max_length=3)
    assert sampled.tolist() == [[2, 0, 0]] * 2
    assert sampled.dtype == np.int32


def test_a_caption_never_says_unk(rng):
    model = small_model("lstm")
    model.params["W_vocab"][:] = 0
    model.params["b_vocab"][:] = [9, 9, 0, 9, 2, 0]
    greedy = GREEDY.changed(max_length=3)
    tokens, log_probs = decode(model, rng.standard_normal((1, 4)), greedy, WORDS)
    assert tokens.tolist() == [[[4, 4, 4]]]
    assert log_probs[0, 0] == pytest.approx(3 * (2 - np.log(np.exp([0, 2, 0]).sum())))


@pytest.mark.parametrize(
    ("features", "captions", "message"),
    [
        ((2, 3), (2, 5), r"features: expected \(N, D\) = \(N, 4\), got \(2, 3\)"),
        ((2, 4), (3, 5), r"captions: expected .* features \(2, 4\), got \(3, 5\)"),
        ((2, 4), (2, 1), r"captions: expected .*got \(2, 1\)"),
        ((0, 4), (0, 5), "captions: expected at least one, got none"),
    ],
)
def test_shapes_that_do_not_fit(features, captions, message):
    with pytest.raises(ValueError, match=message):
        small_model("rnn").loss(np.zeros(features), np.ones(captions, int))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"inputs": np.array([[1, -1]])}, "inputs: token ids -1 to 1, expected 0 to 3"),
        ({"inputs": np.array([[1, 4]])}, "inputs: token ids 1 to 4"),
        ({"inputs": np.array([[1]])}, r"inputs: expected \(1, 2\)"),
        ({"soft_targets": soft_targets(tokens=-1)}, "soft_targets: token ids -1 to -1"),
        ({"soft_targets": soft_targets(tokens=4)}, "soft_targets: token ids 4 to 4"),
        ({"soft_targets": soft_targets(K=1)}, r"soft_targets.probs: expected \(1, 2, 2\)"),
        ({"image_idxs": np.array([1])}, "image_idxs: expected 0 to 0"),
        ({"image_idxs": np.array([-1])}, "image_idxs: expected 0 to 0"),
        ({"weights": np.ones(2)}, r"weights: expected \(1,\)"),
    ],
)
@pytest.mark.parametrize("reference", [True, False])
def test_parts_of_a_batch_that_do_not_fit(parts, message, reference, rng):
    words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    engine = NumpyEngine(CaptioningRNN(words, 2, 3, 4, rng=rng), reference=reference)
    with pytest.raises(ValueError, match=message):
        engine.loss_and_grads(Batch(np.ones((1, 2)), np.array([[1, 3, 2]]), **parts))


def test_captions_that_are_no_words():
    with pytest.raises(ValueError, match="captions: expected token ids, integers, got float64"):
        small_model("rnn").loss(np.zeros((2, 4)), np.ones((2, 5)))


def test_unknown_cell_type_and_missing_words():
    with pytest.raises(ValueError, match="`cell_type` gnu: expected one of rnn, gru"):
        RNNConfig(cell_type="gnu")
    with pytest.raises(ValueError, match="dtype float16: expected float32 or float64"):
        CaptioningRNN(WORDS, dtype=np.float16)
    with pytest.raises(ValueError, match="<NULL> is missing"):
        CaptioningRNN({"cat": 0})
    with pytest.raises(ValueError, match="needs <START>"):
        small_model("rnn", words=COURSE_WORDS).sample(np.zeros((1, 4)))


@pytest.mark.parametrize(("cell_type", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_config_rebuilds_the_shape(cell_type, gates):
    model = small_model(cell_type)
    again = CaptioningRNN.from_config(model.config, WORDS, model.input_dim)
    assert {k: v.shape for k, v in again.params.items()} == {
        k: v.shape for k, v in model.params.items()
    }
    assert model.params["Wh"].shape == (6, gates * 6)
    assert model.num_parameters == sum(v.size for v in model.params.values())


@pytest.mark.parametrize("beam_size", [1, 3, 50])
def test_captions_of_no_image_and_of_one_token(beam_size):
    model = small_model("lstm")
    tokens, log_probs = decode(model, np.ones((0, 4)), GREEDY.changed(beam_size=beam_size), WORDS)
    assert tokens.shape == (0, 1, 30)
    assert log_probs.shape == (0, 1)
    one = GREEDY.changed(beam_size=beam_size, max_length=1)
    tokens, log_probs = decode(model, np.ones((2, 4)), one, WORDS)
    assert tokens.shape == (2, 1, 1)
    assert np.isfinite(log_probs).all()
