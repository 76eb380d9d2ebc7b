"""The fast engine computes what `model.loss` and the update rules compute."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.engine import NumpyEngine, ReferenceEngine, scoring
from limner.engine.base import Regularisation
from limner.layers import Shared
from limner.models import GATES, CaptioningRNN, Dropout
from limner.optim import UPDATE_RULES

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}
"""Of a gradient's largest entry."""


def new_model(cell_type, dtype=np.float64, V=9, D=4, W=5, H=6, seed=0):
    words = {word: index for index, word in enumerate(["<NULL>", "<START>", "<END>"])}
    words |= {f"w{index}": index for index in range(3, V)}
    return CaptioningRNN(words, D, W, H, cell_type, dtype, rng=np.random.default_rng(seed))


def assert_parity(model, *batch):
    loss, grads = model.loss(*batch)
    fast_loss, fast_grads = NumpyEngine(model).loss_and_grads(*batch)
    tolerance = TOLERANCE[model.dtype]
    np.testing.assert_allclose(fast_loss, loss, rtol=tolerance)
    assert set(fast_grads) == set(grads)
    # A gradient that is what is left of larger ones cannot be more exact than they are.
    rounding = np.finfo(model.dtype).eps * max(np.abs(grad).max() for grad in grads.values())
    for name, grad in grads.items():
        assert fast_grads[name].shape == grad.shape
        assert fast_grads[name].dtype == model.dtype
        atol = max(tolerance * np.abs(grad).max(), rounding)
        np.testing.assert_allclose(fast_grads[name], grad, rtol=0, atol=atol, err_msg=name)
    return grads


CAPTIONS = {
    "whole": [[1, 3, 4, 5, 2], [1, 6, 7, 8, 2]],
    "NULL at the end": [[1, 3, 2, 0, 0], [1, 6, 7, 8, 2], [1, 4, 5, 2, 0]],
    "NULL in the middle": [[1, 3, 0, 5, 2], [0, 0, 0, 8, 2], [1, 0, 4, 0, 0]],
    "a row of NULL": [[0, 0, 0, 0], [1, 3, 4, 2], [1, 0, 0, 0]],
    "nothing but NULL": [[0, 0, 0], [1, 0, 0]],
    "length one": [[1, 2], [1, 3], [4, 0]],
    "N = 1": [[1, 3, 3, 2]],
    "all distinct": [[1, 3, 4], [5, 6, 7], [8, 2, 0]],
    "all the same": [[3] * 6, [3] * 6, [3, 3, 3, 0, 0, 0]],
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("cell_type", GATES)
@pytest.mark.parametrize("captions", CAPTIONS.values(), ids=CAPTIONS)
def test_parity(captions, cell_type, dtype, rng):
    captions = np.array(captions)
    features = rng.standard_normal((len(captions), 4)).astype(dtype)
    grads = assert_parity(new_model(cell_type, dtype), features, captions)
    if (captions[:, 1:] != 0).any():
        assert all(grad.any() for grad in grads.values())


@given(st.data())
def test_parity_at_any_shape(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    dtype = data.draw(st.sampled_from(list(TOLERANCE)))
    V, H = draw(3, 40), draw(1, 20)
    model = new_model(data.draw(st.sampled_from(list(GATES))), dtype, V, draw(1, 9), draw(1, 9), H)
    rng = np.random.default_rng(draw(0, 2**32))
    captions = rng.integers(V, size=(draw(1, 12), draw(2, 10)))
    captions[rng.random(captions.shape) < data.draw(st.floats(0, 1))] = 0
    features = rng.standard_normal((len(captions), model.config["input_dim"]))
    assert_parity(model, features, captions)


@pytest.mark.parametrize("cell_type", GATES)
def test_batches_of_changing_size_share_the_workspace(cell_type, rng):
    """A smaller batch after a larger one must not see what the larger one left."""
    model, twin = (new_model(cell_type) for _ in range(2))
    engine = NumpyEngine(model)
    for N, T in ((8, 9), (2, 3), (5, 7), (8, 9)):
        captions, features = rng.integers(9, size=(N, T)), rng.standard_normal((N, 4))
        loss, grads = twin.loss(features, captions)
        fast_loss, fast_grads = engine.loss_and_grads(features, captions)
        assert fast_loss == pytest.approx(float(loss), rel=1e-10)
        for name, grad in grads.items():
            np.testing.assert_allclose(fast_grads[name], grad, rtol=0, atol=1e-12, err_msg=name)


def test_rows_are_scored_in_chunks(monkeypatch, rng):
    monkeypatch.setattr(scoring, "LOGITS", 30)  # three rows of nine scores
    monkeypatch.setattr(scoring, "CACHED", 18)  # two
    assert_parity(new_model("lstm"), rng.standard_normal((5, 4)), rng.integers(9, size=(5, 6)))


SHAPES = {
    "two layers": {"num_layers": 2},
    "three layers": {"num_layers": 3, "cell_type": "gru"},
    "tied": {"tied": True, "wordvec_dim": 6},
    "tied rnn": {
        "tied": True,
        "num_layers": 2,
        "wordvec_dim": 6,
        "cell_type": "rnn",
    },
}
DROPOUT = Dropout(0.3, 0.2, 0.5)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("chunk", [4_000_000, 30])
def test_parity_of_all_options(shape, dtype, chunk, monkeypatch, rng):
    monkeypatch.setattr(scoring, "LOGITS", chunk)
    options = {"wordvec_dim": 5, "hidden_dim": 6, "cell_type": "lstm", **shape}
    words = {word: index for index, word in enumerate(["<NULL>", "<START>", "<END>", *"abcdef"])}
    model = CaptioningRNN(words, 4, dtype=dtype, rng=rng, **options)
    model.feature_mean = rng.standard_normal(4).astype(dtype)
    batch = (
        rng.standard_normal((3, 4)).astype(dtype),
        rng.integers(9, size=(5, 6)),
        np.array([0, 2, 2, 0, 2]),
        rng.standard_normal(5),
        0.1,
        model.draw_masks(DROPOUT, 3, 5, rng),
        rng.integers(9, size=(5, 5)),
        Shared(rng.integers(9, size=(5, 5, 3)), rng.random((5, 5, 3)).astype(dtype) / 4),
    )
    assert_parity(model, *batch)


@pytest.mark.parametrize("rule", ["adamw", "sgd"])
def test_regularised_steps_agree_with_the_reference(rule, rng):
    model, twin = (new_model("lstm") for _ in range(2))
    using = Regularisation(DROPOUT, smoothing=0.1, clip_norm=0.5)
    fast, plain = (
        engine(m, rule, {"learning_rate": 0.02}, using, np.random.default_rng(3))
        for engine, m in ((NumpyEngine, model), (ReferenceEngine, twin))
    )
    for rate in (0.02, 0.03, 0.01):
        batch = rng.standard_normal((2, 4)), rng.integers(9, size=(6, 7)), np.arange(6) % 2
        for engine in (fast, plain):
            engine.set_learning_rate(rate)
        assert fast.step(*batch) == pytest.approx(plain.step(*batch))
    for name, param in twin.params.items():
        np.testing.assert_allclose(model.params[name], param, rtol=0, atol=1e-9, err_msg=name)


def test_scores_of_any_size_give_a_finite_loss(rng):
    model = new_model("rnn", np.float32)
    model.params["b_vocab"] += np.float32(1e4) * np.arange(9, dtype=np.float32)
    assert_parity(model, rng.standard_normal((3, 4)), rng.integers(9, size=(3, 5)))


@pytest.mark.parametrize("cell_type", GATES)
@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_ten_steps_agree_with_the_reference(rule, cell_type, rng):
    model, twin = (new_model(cell_type) for _ in range(2))
    fast, plain = (
        engine(m, rule, {"learning_rate": 0.02})
        for engine, m in ((NumpyEngine, model), (ReferenceEngine, twin))
    )
    for _ in range(10):
        captions, features = rng.integers(9, size=(6, 7)), rng.standard_normal((6, 4))
        assert fast.step(features, captions) == pytest.approx(plain.step(features, captions))
    for name, param in twin.params.items():
        np.testing.assert_allclose(model.params[name], param, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_the_two_engines_read_each_others_state(rule, rng):
    batches = [(rng.standard_normal((3, 4)), rng.integers(9, size=(3, 5))) for _ in range(6)]
    losses = []
    for first, second in ((NumpyEngine, ReferenceEngine), (ReferenceEngine, NumpyEngine)):
        model = new_model("lstm")
        engine = first(model, rule)
        losses.append([engine.step(*batch) for batch in batches[:3]])
        engine.scale_learning_rate(0.5)
        other = second(model, rule)
        other.load_state_dict(engine.state_dict())
        losses[-1] += [other.step(*batch) for batch in batches[3:]]
    assert losses[0] == pytest.approx(losses[1])


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_state_goes_on_bit_for_bit(rule, rng):
    batch = rng.standard_normal((3, 4)).astype(np.float32), rng.integers(9, size=(3, 5))
    model, twin = (new_model("lstm", np.float32) for _ in range(2))
    engine, other = NumpyEngine(model, rule), NumpyEngine(twin, rule)
    for _ in range(3):
        engine.step(*batch)
    engine.scale_learning_rate(0.5)
    state = engine.state_dict()
    engine.step(*batch)  # must not change what was handed out
    twin.params.update({name: param.copy() for name, param in model.params.items()})
    other.load_state_dict(engine.state_dict())
    assert any((state[key] != value).any() for key, value in engine.state_dict().items())
    for _ in range(3):
        assert engine.step(*batch) == other.step(*batch)
    for name, param in model.params.items():
        np.testing.assert_array_equal(twin.params[name], param)


def test_numbers_may_come_back_from_a_file_with_an_axis(rng):
    """Early checkpoints hold them so."""
    batch = rng.standard_normal((3, 4)), rng.integers(9, size=(3, 5))
    engine, other = NumpyEngine(new_model("rnn")), NumpyEngine(new_model("rnn"))
    engine.scale_learning_rate(0.5)
    other.load_state_dict({key: np.atleast_1d(value) for key, value in engine.state_dict().items()})
    assert [engine.step(*batch) for _ in range(3)] == [other.step(*batch) for _ in range(3)]


def test_parameters_put_in_from_outside_are_taken_over(rng):
    batch = rng.standard_normal((3, 4)), rng.integers(9, size=(3, 5))
    model, other = new_model("rnn"), new_model("rnn", seed=1)
    engine = NumpyEngine(model)
    model.params["Wh"] = other.params["Wh"].copy()
    expected = float(model.loss(*batch)[0])
    assert engine.step(*batch) == pytest.approx(expected)
    assert engine.step(*batch) < expected


def test_gradients_that_were_returned_stay(rng):
    batch = rng.standard_normal((3, 4)), rng.integers(9, size=(3, 5))
    engine = NumpyEngine(new_model("lstm"))
    _, grads = engine.loss_and_grads(*batch)
    before = {name: grad.copy() for name, grad in grads.items()}
    engine.step(*batch)
    engine.step(*batch)
    for name, grad in grads.items():
        np.testing.assert_array_equal(grad, before[name])


def test_bad_input():
    with pytest.raises(ValueError, match="update_rule 'lion': expected one of sgd"):
        NumpyEngine(new_model("rnn"), "lion")
    with pytest.raises(ValueError, match="adam has no setting 'lr'"):
        NumpyEngine(new_model("rnn"), "adam", {"lr": 1e-3})
    engine = NumpyEngine(new_model("rnn"))
    with pytest.raises(ValueError, match=r"features: expected \(N, D\) = \(N, 4\)"):
        engine.step(np.ones((2, 3)), np.ones((2, 4), dtype=int))
    with pytest.raises(ValueError, match="captions: word ids from 1 to 9, expected 0 to 8"):
        engine.step(np.ones((1, 4)), np.array([[1, 9, 2]]))
    engine.model.params["b_proj"] = np.zeros(1)
    with pytest.raises(ValueError, match=r"params\['b_proj'\]: expected \(\d+,\), got \(1,\)"):
        engine.step(np.ones((1, 4)), np.array([[1, 3, 2]]))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_learns_as_the_engine_does_and_apart_from_it(copied, rng):
    engine = NumpyEngine(new_model("lstm"), "adam", {"learning_rate": 0.01})
    batch = rng.standard_normal((3, 4)), rng.integers(0, 9, (3, 5))
    engine.step(*batch)
    other = copied(engine)
    losses = [engine.step(*batch) for _ in range(3)]
    assert [other.step(*batch) for _ in range(3)] == losses
    assert losses[2] < losses[0]
    for name, param in other.model.params.items():
        np.testing.assert_array_equal(param, engine.model.params[name])
