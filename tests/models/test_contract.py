"""What every kind of model must do; and a kind that is made up here, in one class and one entry."""

from typing import ClassVar

import numpy as np
import pytest

from limner.captioner import Captioner
from limner.checkpoint import load_checkpoint
from limner.cli import main
from limner.data.opening import open_dataset
from limner.decoding import GREEDY, Decoder, decode
from limner.engine import Engine, NumpyEngine
from limner.engine.numpy import fast_decoder
from limner.gradcheck import eval_numerical_gradient
from limner.layers import affine_backward, affine_forward, temporal_softmax_loss
from limner.models import MODELS, Batch, CaptioningModel, ModelConfig
from limner.randomness import global_if_none
from limner.training.config import TrainConfig
from limner.training.run import TrainingRun

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "cat": 4, "dog": 5}


class BigramConfig(ModelConfig, frozen=True, kw_only=True, tag="bigram", tag_field="kind"):
    """The options of `Bigram`."""

    scale: float = 0.1


class Bigram(CaptioningModel):
    """`scores = features W + B[token]`: the image and the token before, and nothing else."""

    config_type: ClassVar[type[ModelConfig]] = BigramConfig
    reads_grid = False

    def __init__(self, word_to_idx, input_dim, dtype=np.float32, rng=None, *, scale=0.1):
        super().__init__(word_to_idx, input_dim, BigramConfig(scale=scale), dtype)
        V, normal = len(word_to_idx), global_if_none(rng).standard_normal
        params = {"W": normal((input_dim, V)) * scale, "B": normal((V, V)) * scale}
        self.params = {name: param.astype(dtype) for name, param in params.items()}

    def loss(self, batch, *, masks=None, label_smoothing=0.0):
        p, tokens = self.params, batch.input_tokens
        b = np.zeros(len(p["B"]), self.dtype)
        image, cache = affine_forward(self.features_of(batch), p["W"], b)
        scores = image[batch.image_idxs][:, None] + p["B"][tokens]
        loss, dscores = temporal_softmax_loss(
            scores,
            batch.targets,
            batch.target_weights(self.null),
            smoothing=label_smoothing,
            soft_targets=batch.soft_targets,
        )
        dB, dimage = np.zeros_like(p["B"]), np.zeros_like(image)
        np.add.at(dB, tokens, dscores)
        np.add.at(dimage, batch.image_idxs, dscores.sum(axis=1))
        return loss, {"W": affine_backward(dimage, cache)[1], "B": dB}

    def start(self, features):
        return (self.standardize(features) @ self.params["W"],)

    def step(self, tokens, state):
        return state[0] + self.params["B"][tokens], state


KINDS = {model.kind: model for model in [*MODELS, Bigram]}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def small(kind, rng, dtype=np.float64):
    sizes = {"wordvec_dim": 5, "hidden_dim": 4, "attention_dim": 3, "place_dim": 6}
    known = kind.config_type.__struct_fields__
    return kind(WORDS, 4, dtype=dtype, rng=rng, **{k: v for k, v in sizes.items() if k in known})


def batch_of(model, rng):
    features = rng.standard_normal((2, 3, 4) if model.reads_grid else (2, 4))
    captions = np.array([[1, 4, 5, 2], [1, 5, 2, 0], [1, 0, 4, 2]])
    return Batch(features.astype(model.dtype), captions, np.array([1, 0, 1]))


@every_kind
def test_gradients(kind, rng):
    model = small(kind, rng)
    batch = batch_of(model, rng)
    _, grads = model.loss(batch, label_smoothing=0.1)
    assert grads.keys() == model.params.keys()
    for name, param in model.params.items():
        numerical = eval_numerical_gradient(
            lambda _: float(model.loss(batch, label_smoothing=0.1)[0]), param, False, 1e-6
        )
        assert np.any(grads[name] != 0), name
        np.testing.assert_allclose(grads[name], numerical, rtol=1e-5, atol=1e-8, err_msg=name)


@every_kind
def test_a_step_of_decoding_is_the_loss(kind, rng):
    model = small(kind, rng)
    assert isinstance(model, Decoder)
    batch = batch_of(model, rng)
    for decoder in (model, fast_decoder(model)):
        state = decoder.select(decoder.start(batch.features), batch.image_idxs)
        total = 0.0
        for t in range(3):
            scores, state = decoder.step(batch.captions[:, t], state)
            log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
            target = batch.captions[:, t + 1]
            total += (log_probs[np.arange(3), target] * (target != 0)).sum()
        assert float(model.loss(batch)[0]) == pytest.approx(-total / 3, rel=1e-10)


@every_kind
@pytest.mark.parametrize("reference", [False, True])
def test_an_engine_trains_it(kind, reference, rng):
    model = small(kind, rng, np.float32)
    engine, batch = NumpyEngine(model, reference=reference), batch_of(model, rng)
    assert isinstance(engine, Engine)
    before = {name: param.copy() for name, param in engine.params().items()}
    first, grads = engine.loss_and_grads(batch)
    assert engine.step(batch, 0.05) == pytest.approx(first)
    assert all((engine.params()[name] != before[name]).any() for name in grads)
    for _ in range(200):
        last = engine.step(batch, 0.05)
    assert last < first / 2
    tokens, _ = decode(engine.decoder(), batch.features, GREEDY, WORDS)
    assert tokens.shape == (2, 1, 30)


@every_kind
def test_its_options_make_it_again(kind, rng):
    model = small(kind, rng)
    again = kind.from_config(model.config, WORDS, model.input_dim, rng)
    assert again.config == model.config
    assert {k: v.shape for k, v in again.params.items()} == {
        k: v.shape for k, v in model.params.items()
    }


@pytest.fixture
def _with_bigram():
    MODELS.append(Bigram)
    yield
    MODELS.remove(Bigram)


@pytest.mark.usefixtures("_with_bigram")
def test_a_made_up_kind_trains_is_saved_and_captions(tiny_dataset, tmp_path, capsys):
    dataset = open_dataset(tiny_dataset)
    settings = {"model": "bigram", "scale": 0.2, "epochs": 2, "batch_size": 20}
    config = TrainConfig.from_flat({**settings, "learning_rate": 0.05})
    TrainingRun(dataset, tmp_path / "run", config, report=lambda line: None).train()
    model = load_checkpoint(tmp_path / "run" / "best.safetensors").model
    assert isinstance(model, Bigram)
    assert model.config == BigramConfig(scale=0.2)
    image = dataset.image_file(dataset.splits["dev"].image_ids[0])
    assert Captioner.load(tmp_path / "run").caption(image).score < 0
    assert main(["caption", "--model", str(tmp_path / "run"), str(image)]) == 0
    assert main(["info", str(tmp_path / "run")]) == 0
    assert "model: bigram" in capsys.readouterr().out
