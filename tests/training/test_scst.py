from itertools import product

import numpy as np
import pytest

from limner.data.dataset import Split
from limner.decoding.constraints import log_softmax
from limner.engine import NumpyEngine
from limner.models import AttentionRNN, CaptioningRNN
from limner.training import scst
from limner.training.objectives import BatchRequest
from limner.training.scst import SelfCritical

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "cat": 4, "dog": 5, "a": 6}
REFERENCES = [[["a", "cat"]], [["a", "dog"]]]
CAPTIONS = np.array([[1, 6, 4, 2, 0], [1, 6, 5, 2, 0]], dtype=np.int32)


@pytest.fixture(autouse=True)
def _no_captions_of_people(monkeypatch):
    monkeypatch.setattr(scst, "SHARE", 0.0)


def split_of(features, captions=CAPTIONS):
    return Split(captions, np.arange(len(captions)), features, tuple("ab"[: len(captions)]))


def batch_of(objective, model, split, rng):
    rows = np.arange(len(split.captions))
    return objective.batch(BatchRequest(split, rows, 0.0, lambda: model, rng))


@pytest.mark.parametrize("kind", ["rnn", "attention"])
def test_captions_get_better(kind, rng):
    """From chance, with nothing but the reward."""
    if kind == "rnn":
        model, features = CaptioningRNN(WORDS, 3, 8, 8, "lstm", rng=rng), np.eye(2, 3)
    else:
        model = AttentionRNN(WORDS, 3, 8, 8, 8, 8, rng=rng)
        features = rng.standard_normal((2, 4, 3))
    objective, engine = SelfCritical(REFERENCES, WORDS, 20, 0.0), NumpyEngine(model, "adam")
    split, drawn, rewards = split_of(features.astype(np.float32)), np.random.default_rng(0), []
    for _ in range(150):
        loss = engine.step(batch_of(objective, engine.decoder(), split, drawn), 1e-2)
        rewards.append(-objective.value(loss))
    assert np.mean(rewards[:10]) < 2
    assert np.mean(rewards[-10:]) > 7
    said = model.sample(split.features, max_length=4).tolist()
    assert [row[:3] for row in said] == [[6, 4, 2], [6, 5, 2]]


def test_the_batch(rng, monkeypatch):
    monkeypatch.setattr(scst, "SHARE", 1.0)
    model = CaptioningRNN(WORDS, 3, 8, 8, "lstm", rng=rng)
    objective = SelfCritical(REFERENCES, WORDS, samples=4, likelihood=0.25)
    batch = batch_of(objective, model, split_of(np.eye(2, 3, dtype=np.float32)), rng)
    assert batch.captions.shape == (10, 5)
    np.testing.assert_array_equal(batch.captions[8:], CAPTIONS)
    assert (batch.captions[:, 0] == 1).all()
    assert not np.isin(batch.captions[:8, 1:], [1, 3]).any()
    assert batch.image_idxs.tolist() == [0] * 4 + [1] * 4 + [0, 1]
    np.testing.assert_allclose(batch.weights[:8].reshape(2, 4).sum(axis=1), 0, atol=1e-12)
    assert batch.weights[8:].tolist() == [0.25, 0.25]


def test_the_share_of_peoples_captions(rng, monkeypatch):
    monkeypatch.undo()
    model = CaptioningRNN(WORDS, 3, 8, 8, rng=rng)
    captions = np.repeat(CAPTIONS, 500, axis=0)
    split = Split(captions, np.arange(1000) % 2, np.eye(2, 3, dtype=np.float32), ("a", "b"))
    batch = batch_of(SelfCritical(REFERENCES, WORDS, samples=2), model, split, rng)
    assert len(batch.captions) - 4 == pytest.approx(1000 * scst.SHARE, rel=0.15)


def test_the_gradient_is_that_of_the_expected_reward(rng):
    """On average over drawings; the expectation is a sum over every caption of two words."""
    words = {word: i for word, i in WORDS.items() if i < 6}
    model = CaptioningRNN(words, 3, 4, 4, "rnn", np.float64, np.random.default_rng(3))
    model.params["b_vocab"][[0, 1, 3]] = -60  # what is never drawn has no probability
    features = rng.standard_normal((1, 3))
    objective = SelfCritical([[["cat"]], [["dog"]]], words, 400, 0.0)
    split = split_of(features, np.array([[1, 4, 2]], dtype=np.int32))

    def expected_reward():
        total, state = 0.0, model.start(features)
        scores, after = model.step(np.array([1]), state)
        first = np.exp(log_softmax(scores)[0])
        for word, next_word in product([2, 4, 5], repeat=2):
            said = [] if word == 2 else [word]
            probability = first[word]
            if said:
                scores, _ = model.step(np.array([word]), after)
                probability *= np.exp(log_softmax(scores)[0])[next_word]
                said += [next_word] if next_word != 2 else []
            elif next_word != 2:
                continue
            tokens = [[model.idx_to_word[i] for i in said]]
            total += probability * objective._reward_of(np.array([0]), tokens)[0]
        return total

    found, drawn = np.zeros_like(model.params["b_vocab"]), np.random.default_rng(0)
    for _ in range(40):
        batch = batch_of(objective, model, split, drawn)
        found += NumpyEngine(model).loss_and_grads(batch)[1]["b_vocab"] / 40
    numerical = np.zeros_like(found)
    for i in (2, 4, 5):
        before = model.params["b_vocab"][i]
        model.params["b_vocab"][i] = before + 1e-5
        above = expected_reward()
        model.params["b_vocab"][i] = before - 1e-5
        numerical[i] = -(above - expected_reward()) / 2e-5
        model.params["b_vocab"][i] = before
    np.testing.assert_allclose(found, numerical, atol=0.05 * np.abs(numerical).max())
