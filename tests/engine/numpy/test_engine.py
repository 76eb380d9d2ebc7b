"""The engine: fast passes compute what `model.loss` computes; the rest is the update rules."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner import optim
from limner.engine import NumpyEngine, Regularization
from limner.engine.numpy import scoring
from limner.engine.numpy.cells import FAST_CELLS
from limner.engine.numpy.engine import draw_mask
from limner.engine.numpy.fast import has_fast_pass
from limner.layers import SoftTargets
from limner.models import Batch, CaptioningRNN
from limner.optim import RULES

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}
"""Of a gradient's largest entry."""


def new_model(cell_type, dtype=np.float64, V=9, D=4, W=5, H=6, seed=0):
    words = {word: index for index, word in enumerate(["<NULL>", "<START>", "<END>"])}
    words |= {f"w{index}": index for index in range(3, V)}
    return CaptioningRNN(words, D, W, H, cell_type, dtype, rng=np.random.default_rng(seed))


def assert_parity(model, batch, masks=None, label_smoothing=0.0):
    loss, grads = model.loss(batch, masks=masks or {}, label_smoothing=label_smoothing)
    engine = NumpyEngine(model, regularization=Regularization(label_smoothing=label_smoothing))
    assert has_fast_pass(model)
    fast_loss, fast_grads = engine.loss_and_grads(batch, masks or {})
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
@pytest.mark.parametrize("cell_type", FAST_CELLS)
@pytest.mark.parametrize("captions", CAPTIONS.values(), ids=CAPTIONS)
def test_parity(captions, cell_type, dtype, rng):
    captions = np.array(captions)
    features = rng.standard_normal((len(captions), 4)).astype(dtype)
    grads = assert_parity(new_model(cell_type, dtype), Batch(features, captions))
    if (captions[:, 1:] != 0).any():
        assert all(grad.any() for grad in grads.values())


@given(st.data())
def test_parity_at_any_shape(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    dtype = data.draw(st.sampled_from(list(TOLERANCE)))
    V, H = draw(3, 40), draw(1, 20)
    model = new_model(
        data.draw(st.sampled_from(list(FAST_CELLS))), dtype, V, draw(1, 9), draw(1, 9), H
    )
    rng = np.random.default_rng(draw(0, 2**32))
    captions = rng.integers(V, size=(draw(1, 12), draw(2, 10)))
    captions[rng.random(captions.shape) < data.draw(st.floats(0, 1))] = 0
    features = rng.standard_normal((len(captions), model.input_dim))
    assert_parity(model, Batch(features, captions))


@pytest.mark.parametrize("cell_type", FAST_CELLS)
def test_batches_of_changing_size_share_the_workspace(cell_type, rng):
    """A smaller batch after a larger one must not see what the larger one left."""
    model, twin = (new_model(cell_type) for _ in range(2))
    engine = NumpyEngine(model)
    for N, T in ((8, 9), (2, 3), (5, 7), (8, 9)):
        captions, features = rng.integers(9, size=(N, T)), rng.standard_normal((N, 4))
        batch = Batch(features, captions)
        loss, grads = twin.loss(batch)
        fast_loss, fast_grads = engine.loss_and_grads(batch)
        assert fast_loss == pytest.approx(float(loss), rel=1e-10)
        for name, grad in grads.items():
            np.testing.assert_allclose(fast_grads[name], grad, rtol=0, atol=1e-12, err_msg=name)


def test_rows_are_scored_in_chunks(monkeypatch, rng):
    monkeypatch.setattr(scoring, "LOGITS", 30)  # three rows of nine scores
    monkeypatch.setattr(scoring, "CACHED", 18)  # two
    batch = Batch(rng.standard_normal((5, 4)), rng.integers(9, size=(5, 6)))
    assert_parity(new_model("lstm"), batch)


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
DROPOUT = {"embedding": 0.3, "features": 0.2, "output": 0.5}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("chunk", [4_000_000, 30])
def test_parity_of_all_options(shape, dtype, chunk, monkeypatch, rng):
    monkeypatch.setattr(scoring, "LOGITS", chunk)
    options = {"wordvec_dim": 5, "hidden_dim": 6, "cell_type": "lstm", **shape}
    words = {word: index for index, word in enumerate(["<NULL>", "<START>", "<END>", *"abcdef"])}
    model = CaptioningRNN(words, 4, dtype=dtype, rng=rng, **options)
    model.feature_mean = rng.standard_normal(4).astype(dtype)
    batch = Batch(
        rng.standard_normal((3, 4)).astype(dtype),
        rng.integers(9, size=(5, 6)),
        np.array([0, 2, 2, 0, 2]),
        rng.standard_normal(5),
        rng.integers(9, size=(5, 5)),
        SoftTargets(rng.integers(9, size=(5, 5, 3)), rng.random((5, 5, 3)).astype(dtype) / 4),
    )
    sites = model.dropout_sites(batch)
    masks = {site: draw_mask(rng, DROPOUT[site], shape, dtype) for site, shape in sites.items()}
    assert_parity(model, batch, masks, 0.1)


def engines(rule="adam", cell_type="lstm", dtype=np.float64, using=None):
    """A fast engine and a reference, on equal models."""
    for reference in (False, True):
        model, rng = new_model(cell_type, dtype), np.random.default_rng(3)
        yield NumpyEngine(model, rule, None, using, rng, reference=reference)


@pytest.mark.parametrize("rule", ["adamw", "sgd"])
def test_regularized_steps_agree_with_the_reference(rule, rng):
    fast, plain = engines(rule, using=Regularization(DROPOUT, label_smoothing=0.1, clip_norm=0.5))
    for rate in (0.02, 0.03, 0.01):
        captions = rng.integers(9, size=(6, 7))
        batch = Batch(rng.standard_normal((2, 4)), captions, np.arange(6) % 2)
        assert fast.step(batch, rate) == pytest.approx(plain.step(batch, rate))
    for name, param in plain.params().items():
        np.testing.assert_allclose(fast.params()[name], param, rtol=0, atol=1e-9, err_msg=name)


def test_a_reference_decodes_by_the_models_own_step(rng):
    fast, plain = engines()
    assert plain.decoder() is plain.model
    assert fast.decoder() is not fast.model
    assert copy.deepcopy(plain).decoder() is not plain.model
    assert isinstance(pickle.loads(pickle.dumps(plain)).decoder(), CaptioningRNN)


def test_a_loss_with_other_arguments_is_refused(rng):
    class Mine(CaptioningRNN):
        def loss(self, features, captions):
            return 0.0, {}

    model = Mine({"<NULL>": 0, "<START>": 1, "<END>": 2}, 4, 5, 6, rng=rng)
    engine = NumpyEngine(model, "sgd")
    with pytest.raises(ValueError, match=r"Mine\.loss: expected the arguments \(batch, \*, masks"):
        engine.step(Batch(np.zeros((1, 4)), np.array([[1, 2]])), 0.1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dropout": {"output": 1.0}}, "dropout at output 1.0: expected a number from 0, below 1"),
        ({"dropout": {"output": -0.1}}, "dropout at output -0.1"),
        ({"label_smoothing": 7.0}, "label_smoothing 7.0"),
        ({"clip_norm": -1.0}, "clip_norm -1.0: expected a number above 0"),
        ({"clip_norm": float("nan")}, "clip_norm nan"),
    ],
)
def test_regularization_out_of_its_limits(wrong, message):
    with pytest.raises(ValueError, match=message):
        Regularization(**wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("W_embed/m"), "no W_embed/m in the state"),
        (lambda state: [state.pop(key) for key in [*state] if key != "t"], "in the state"),
        (lambda state: state.update({"b/v": np.array(0.5)}), "b/v in the state of the update rule"),
        (lambda state: state["b/v"].fill(np.nan), "b/v in the state of the update rule"),
    ],
)
def test_a_damaged_state_is_refused(change, message, rng):
    engine = NumpyEngine(new_model("rnn"), "adam")
    engine.step(*batches_of(rng, 1), 0.1)
    state = engine.state_dict()
    change(state)
    with pytest.raises(ValueError, match=message):
        NumpyEngine(new_model("rnn"), "adam").load_state_dict(state)


def test_scores_of_any_size_give_a_finite_loss(rng):
    model = new_model("rnn", np.float32)
    model.params["b_vocab"] += np.float32(1e4) * np.arange(9, dtype=np.float32)
    assert_parity(model, Batch(rng.standard_normal((3, 4)), rng.integers(9, size=(3, 5))))


def batches_of(rng, number, dtype=np.float64):
    return [
        Batch(rng.standard_normal((3, 4)).astype(dtype), rng.integers(9, size=(3, 5)))
        for _ in range(number)
    ]


@pytest.mark.parametrize("rule", RULES)
def test_ten_steps_agree_with_the_reference(rule, rng):
    fast, plain = engines(rule)
    for batch in batches_of(rng, 10):
        assert fast.step(batch, 0.01) == pytest.approx(plain.step(batch, 0.01))
    for name, param in plain.params().items():
        np.testing.assert_allclose(fast.params()[name], param, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("rule", RULES)
def test_a_step_is_the_loss_and_the_rule(rule, rng):
    """The reference against `model.loss` and the course's form of the rule, one after the other."""
    model, twin = new_model("lstm"), new_model("lstm")
    engine = NumpyEngine(model, rule, reference=True)
    configs = {name: {"learning_rate": 0.05} for name in twin.params}
    for batch in batches_of(rng, 3):
        expected, grads = twin.loss(batch)
        for name, grad in grads.items():
            step = getattr(optim, rule)
            twin.params[name], configs[name] = step(twin.params[name], grad, configs[name])
        assert engine.step(batch, 0.05) == float(expected)
    for name, param in twin.params.items():
        np.testing.assert_allclose(model.params[name], param, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_restored_state_continues_bit_for_bit(rule, rng):
    (batch,) = batches_of(rng, 1, np.float32)
    model, twin = (new_model("lstm", np.float32) for _ in range(2))
    engine, other = NumpyEngine(model, rule), NumpyEngine(twin, rule)
    for _ in range(3):
        engine.step(batch, 0.01)
    state = engine.state_dict()
    engine.step(batch, 0.01)  # must not change what was handed out
    twin.params.update({name: param.copy() for name, param in model.params.items()})
    other.load_state_dict(engine.state_dict())
    assert any((state[key] != value).any() for key, value in engine.state_dict().items())
    for _ in range(3):
        assert engine.step(batch, 0.02) == other.step(batch, 0.02)
    for name, param in model.params.items():
        np.testing.assert_array_equal(twin.params[name], param)


def test_the_state_of_version_0_1_is_read(rng):
    """By parameter: memory, `t` and settings; numbers with an axis, or without."""
    (batch,) = batches_of(rng, 1)
    engine, other = NumpyEngine(new_model("rnn")), NumpyEngine(new_model("rnn"))
    for _ in range(2):
        engine.step(batch, 0.01)
    state = engine.state_dict()
    t = state.pop("t")
    state |= {f"{name}/t": np.atleast_1d(t) for name in engine.params()}
    state |= {f"{name}/learning_rate": np.array(0.001) for name in engine.params()}
    other.model.params.update({n: p.copy() for n, p in engine.params().items()})
    other.load_state_dict(state)
    assert [engine.step(batch, 0.01) for _ in range(3)] == [other.step(batch, 0.01) for _ in "abc"]


def test_a_state_that_is_not_whole():
    engine = NumpyEngine(new_model("rnn"))
    state = engine.state_dict()
    del state["Wh/m"]
    with pytest.raises(ValueError, match="no Wh/m in the state of the update rule"):
        engine.load_state_dict(state)


def test_parameters_put_in_from_outside_are_taken_over(rng):
    (batch,) = batches_of(rng, 1)
    model, other = new_model("rnn"), new_model("rnn", seed=1)
    engine = NumpyEngine(model)
    model.params["Wh"] = other.params["Wh"].copy()
    expected = float(model.loss(batch)[0])
    assert engine.step(batch, 0.001) == pytest.approx(expected)
    assert engine.step(batch, 0.001) < expected


def test_gradients_that_were_returned_stay(rng):
    (batch,) = batches_of(rng, 1)
    engine = NumpyEngine(new_model("lstm"))
    _, grads = engine.loss_and_grads(batch)
    before = {name: grad.copy() for name, grad in grads.items()}
    engine.step(batch, 0.01)
    engine.step(batch, 0.01)
    for name, grad in grads.items():
        np.testing.assert_array_equal(grad, before[name])


def test_bad_input():
    with pytest.raises(ValueError, match="update_rule 'lion': expected one of sgd"):
        NumpyEngine(new_model("rnn"), "lion")
    with pytest.raises(ValueError, match="adam has no setting 'lr'"):
        NumpyEngine(new_model("rnn"), "adam", {"lr": 1e-3})
    engine = NumpyEngine(new_model("rnn"))
    with pytest.raises(ValueError, match=r"features: expected \(N, D\) = \(N, 4\)"):
        engine.step(Batch(np.ones((2, 3)), np.ones((2, 4), dtype=int)), 0.01)
    with pytest.raises(ValueError, match="captions: token ids 1 to 9, expected 0 to 8"):
        engine.step(Batch(np.ones((1, 4)), np.array([[1, 9, 2]])), 0.01)
    batch = Batch(np.ones((1, 4)), np.array([[1, 3, 2]]))
    wrong = NumpyEngine(new_model("rnn"), regularization=Regularization({"attention": 0.5}))
    with pytest.raises(ValueError, match="dropout: the model has no site attention, only"):
        wrong.step(batch, 0.01)
    engine.model.params["b_proj"] = np.zeros(1)
    with pytest.raises(ValueError, match=r"params\['b_proj'\]: expected \(\d+,\), got \(1,\)"):
        engine.step(batch, 0.01)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_learns_as_the_engine_does_and_apart_from_it(copied, rng):
    engine = NumpyEngine(new_model("lstm"))
    (batch,) = batches_of(rng, 1)
    engine.step(batch, 0.01)
    other = copied(engine)
    losses = [engine.step(batch, 0.01) for _ in range(3)]
    assert [other.step(batch, 0.01) for _ in range(3)] == losses
    assert losses[2] < losses[0]
    for name, param in other.model.params.items():
        np.testing.assert_array_equal(param, engine.model.params[name])


def test_masks_use_the_global_state_by_default(rng):
    (batch,) = batches_of(rng, 1)
    losses = []
    for _ in range(2):
        np.random.seed(4)
        engine = NumpyEngine(new_model("lstm"), regularization=Regularization({"output": 0.5}))
        losses.append(engine.step(batch, 0.01))
    plain = NumpyEngine(new_model("lstm")).step(batch, 0.01)
    assert losses[0] == losses[1] != plain
