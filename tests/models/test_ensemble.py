import numpy as np
import pytest

from limner.decoding import GREEDY, decode
from limner.engine.numpy import fast_decoder
from limner.models import AttentionRNN, CaptioningRNN, Ensemble

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "cat": 4, "dog": 5}


def member(seed, cell_type="lstm", D=5, words=WORDS):
    return CaptioningRNN(words, D, 6, 7, cell_type, np.float64, np.random.default_rng(seed))


def softmax(scores):
    shares = np.exp(scores)
    return shares / shares.sum(axis=1, keepdims=True)


def test_probabilities_are_averaged(rng):
    members = [member(0), member(1, "gru"), member(2, "rnn")]
    both = Ensemble(members)
    features = rng.standard_normal((4, 5))
    states = [m.start(features) for m in members]
    state = fast_state = both.start(features)
    fast = fast_decoder(both)
    for words in rng.integers(1, 6, size=(5, 4)):
        shares = []
        for i, m in enumerate(members):
            scores, states[i] = m.step(words, states[i])
            shares.append(softmax(scores))
        scores, state = both.step(words, state)
        fast_scores, fast_state = fast.step(words, fast_state)
        np.testing.assert_allclose(np.exp(scores), np.mean(shares, axis=0))
        np.testing.assert_allclose(fast_scores, scores)


@pytest.mark.parametrize("how", [GREEDY, GREEDY.changed(beam_size=3, n_best=2)], ids=str)
def test_ensemble_of_one_model_twice_equals_the_model(how, rng):
    features = rng.standard_normal((6, 3, 5)).astype(np.float32)
    model = AttentionRNN(WORDS, 5, 6, 7, 4, 3, rng=rng)
    words, log_probs = decode(model, features, how, WORDS)
    found, its = decode(Ensemble([model, model]), features, how, WORDS)
    np.testing.assert_array_equal(found, words)
    np.testing.assert_allclose(its, log_probs, rtol=1e-4)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([member(0, words={**WORDS, "bird": 6})], "different vocabularies"),
        ([member(0, D=6)], "different features"),
        ([AttentionRNN(WORDS, 5)], "different features"),
    ],
)
def test_ensemble_refuses_different_models(others, message):
    with pytest.raises(ValueError, match=message):
        Ensemble([member(0), *others])
    with pytest.raises(ValueError, match="at least one"):
        Ensemble([])


def test_attention_weights_are_the_mean_of_those_that_attend(rng):
    words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    members = [AttentionRNN(words, 5, 3, 4, 2, 6, rng=rng) for _ in range(2)]
    features = rng.standard_normal((2, 9, 5)).astype(np.float32)
    model = Ensemble(members)
    weights = model.attention_weights(model.start(features))
    each = [member.attention_weights(member.start(features)) for member in members]
    np.testing.assert_allclose(weights, (each[0] + each[1]) / 2)
    pooled = Ensemble([CaptioningRNN(words, 5, rng=rng)])
    assert pooled.attention_weights(pooled.start(features[:, 0])) is None
