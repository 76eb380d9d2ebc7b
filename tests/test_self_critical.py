from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from limner.decoding.limits import log_softmax
from limner.engine import NumpyEngine
from limner.models import AttentionRNN, CaptioningRNN
from limner.self_critical import Critic, SelfCritical

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "cat": 4, "dog": 5, "a": 6}
HOW = SelfCritical(epochs=1, learning_rate=1e-2, samples=20, likelihood=0.0, share=0.0)
REFERENCES = [[["a", "cat"]], [["a", "dog"]]]
CAPTIONS = np.array([[1, 6, 4, 2, 0], [1, 6, 5, 2, 0]], dtype=np.int32)


class Watched:
    """An engine that keeps what it is given."""

    def __init__(self, model):
        self.inner = NumpyEngine(model, "adam", {"learning_rate": 1e-2})
        self.given = []

    def step(self, *batch):
        self.given.append(batch)
        return self.inner.step(*batch)


def critic_of(model, how=HOW, seed=0):
    return Critic(how, REFERENCES, model, np.random.default_rng(seed))


def step(critic, engine, features):
    return critic.step(engine, features, np.arange(2), CAPTIONS, np.arange(2))


@pytest.mark.parametrize("kind", ["rnn", "attention"])
def test_captions_get_better(kind, rng):
    """From chance, with nothing but the reward."""
    if kind == "rnn":
        model, features = CaptioningRNN(WORDS, 3, 8, 8, "lstm", rng=rng), np.eye(2, 3)
    else:
        model = AttentionRNN(WORDS, 3, 8, 8, 8, 8, rng=rng)
        features = rng.standard_normal((2, 4, 3))
    critic, engine = critic_of(model), NumpyEngine(model, "adam", {"learning_rate": 1e-2})
    features = features.astype(np.float32)
    rewards = [-step(critic, engine, features) for _ in range(150)]
    assert np.mean(rewards[:10]) < 2
    assert np.mean(rewards[-10:]) > 7
    said = model.sample(features, max_length=4).tolist()
    assert [row[:3] for row in said] == [[6, 4, 2], [6, 5, 2]]


def test_what_the_engine_is_given(rng):
    model = CaptioningRNN(WORDS, 3, 8, 8, "lstm", rng=rng)
    how = replace(HOW, samples=4, likelihood=0.25, share=1.0)
    engine = Watched(model)
    step(critic_of(model, how), engine, np.eye(2, 3, dtype=np.float32))
    [(_, captions, whose, weights)] = engine.given
    assert captions.shape == (10, 5)
    np.testing.assert_array_equal(captions[8:], CAPTIONS)
    assert (captions[:, 0] == 1).all()
    assert not np.isin(captions[:8, 1:], [1, 3]).any()
    assert whose.tolist() == [0] * 4 + [1] * 4 + [0, 1]
    np.testing.assert_allclose(weights[:8].reshape(2, 4).sum(axis=1), 0, atol=1e-12)
    assert weights[8:].tolist() == [0.25, 0.25]


def test_the_gradient_is_that_of_the_expected_reward(rng):
    """On average over drawings; the expectation is a sum over every caption of two words."""
    words = {word: i for word, i in WORDS.items() if i < 6}
    model = CaptioningRNN(words, 3, 4, 4, "rnn", np.float64, np.random.default_rng(3))
    model.params["b_vocab"][[0, 1, 3]] = -60  # what is never drawn has no probability
    features = rng.standard_normal((1, 3))
    references = [[["cat"]], [["dog"]]]
    how = replace(HOW, samples=400)
    critic = Critic(how, references, model, np.random.default_rng(0))
    captions = np.array([[1, 4, 2]], dtype=np.int32)

    def expected_reward():
        total, state = 0.0, model.initial_state(features)
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
            total += probability * critic._reward(np.array([0]), tokens)[0]
        return total

    found = np.zeros_like(model.params["b_vocab"])

    class Averaging:
        def step(self, features, captions, whose, weights):
            engine = NumpyEngine(model)
            found[:] += engine.loss_and_grads(features, captions, whose, weights)[1]["b_vocab"] / 40

    for _ in range(40):
        critic.step(Averaging(), features, np.array([0]), captions, np.array([0]))
    numerical = np.zeros_like(found)
    for i in (2, 4, 5):
        before = model.params["b_vocab"][i]
        model.params["b_vocab"][i] = before + 1e-5
        above = expected_reward()
        model.params["b_vocab"][i] = before - 1e-5
        numerical[i] = -(above - expected_reward()) / 2e-5
        model.params["b_vocab"][i] = before
    np.testing.assert_allclose(found, numerical, atol=0.05 * np.abs(numerical).max())
