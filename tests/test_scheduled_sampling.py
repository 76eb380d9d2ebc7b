import numpy as np

from limner.models import AttentionRNN, CaptioningRNN
from limner.scheduled_sampling import mixed_inputs

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
CAPTIONS = np.array([[1, 3, 3, 3, 2, 0, 0], [1, 4, 4, 4, 4, 4, 2]])


def test_none_and_all(rng):
    model = CaptioningRNN(WORDS, 2, rng=rng)
    features = np.eye(2, dtype=np.float32)
    none = mixed_inputs(model, features, CAPTIONS, None, 0.0, rng)
    np.testing.assert_array_equal(none, CAPTIONS[:, :-1])
    model.params["b_vocab"][:] = [-99, -99, -99, -99, 99]  # it says dog, whatever it sees
    every = mixed_inputs(model, features, CAPTIONS, None, 1.0, rng)
    assert every.tolist() == [[1, 4, 4, 4, 2, 0], [1, 4, 4, 4, 4, 4]]


def test_half_of_the_words_and_each_captions_own_picture(rng):
    model = AttentionRNN(WORDS, 2, 5, 5, 5, 5, rng=rng)
    captions = np.array([[1, *[3] * 500, 2]] * 2)
    model.params["b_vocab"][:] = [-99, -99, -99, -99, 99]
    features = rng.standard_normal((1, 3, 2)).astype(np.float32)
    mixed = mixed_inputs(model, features, captions, np.array([0, 0]), 0.5, rng)
    assert 0.4 < (mixed[:, 1:] == 4).mean() < 0.6
