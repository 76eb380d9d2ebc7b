import numpy as np
import pytest

from limner.decoding import GREEDY, decode
from limner.evaluation.explanation import explain
from limner.models import AttentionRNN, CaptioningRNN

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "cat": 4, "dog": 5}


@pytest.mark.parametrize("kind", ["rnn", "attention"])
def test_the_probabilities_are_the_captions(kind, rng):
    if kind == "rnn":
        model = CaptioningRNN(WORDS, 4, 5, 6, "lstm", rng=rng)
        features = rng.standard_normal((1, 4))
    else:
        model = AttentionRNN(WORDS, 4, 5, 6, 3, 7, rng=rng)
        features = rng.standard_normal((1, 9, 4))
    how = GREEDY.changed(beam_size=3, max_length=6, allow_unk=True)
    words, log_probs = decode(model, features, how, WORDS)
    text = " ".join(model.idx_to_word[i] for i in words[0, 0] if i not in (0, 2))
    choices = explain(model, features[0], text)
    said = int((words[0, 0] != 0).sum())  # an unfinished caption has no <END>
    found = sum(np.log(choice.probability) for choice in choices[:said])
    assert found == pytest.approx(log_probs[0, 0], rel=1e-5)
    for choice in choices:
        shares = [share for _, share in choice.others]
        assert shares == sorted(shares, reverse=True)
        assert choice.word not in dict(choice.others)
        assert sum(shares) + choice.probability <= 1 + 1e-6
        if kind == "attention":
            assert choice.attention.shape == (9,)
            assert choice.attention.sum() == pytest.approx(1)
        else:
            assert choice.attention is None


def test_a_word_that_the_model_does_not_know(rng):
    model = CaptioningRNN(WORDS, 4, 5, 6, rng=rng)
    with pytest.raises(ValueError, match="'zebra': not in the vocabulary"):
        explain(model, np.ones(4), "cat zebra")
