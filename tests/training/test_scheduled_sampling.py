import numpy as np
import pytest

from limner.data.dataset import Split
from limner.models import AttentionRNN, Batch, CaptioningRNN
from limner.training.objectives import BatchRequest
from limner.training.scheduled_sampling import ScheduledSampling, mixed_inputs

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
CAPTIONS = np.array([[1, 3, 3, 3, 2, 0, 0], [1, 4, 4, 4, 4, 4, 2]])


def test_none_and_all(rng):
    model = CaptioningRNN(WORDS, 2, rng=rng)
    batch = Batch(np.eye(2, dtype=np.float32), CAPTIONS)
    none = mixed_inputs(model, batch, 0.0, WORDS, rng)
    np.testing.assert_array_equal(none, CAPTIONS[:, :-1])
    model.params["b_vocab"][:] = [-99, -99, -99, -99, 99]  # dog, whatever the image
    every = mixed_inputs(model, batch, 1.0, WORDS, rng)
    assert every.tolist() == [[1, 4, 4, 4, 2, 0], [1, 4, 4, 4, 4, 4]]


def test_the_generator_decides(rng):
    model = CaptioningRNN(WORDS, 2, rng=rng)
    batch = Batch(np.eye(2, dtype=np.float32), np.array([[1, *[3] * 30, 2]] * 2))
    mixed = [
        mixed_inputs(model, batch, 0.5, WORDS, np.random.default_rng(seed)) for seed in (1, 2, 1)
    ]
    assert (mixed[0] != mixed[1]).any()
    np.testing.assert_array_equal(mixed[0], mixed[2])


def test_the_share_grows_over_the_phase(rng):
    model = CaptioningRNN(WORDS, 2, rng=rng)
    model.params["b_vocab"][:] = [-99, -99, -99, -99, 99]  # dog, whatever the image
    captions = np.array([[1, *[3] * 300, 2]], np.int32)
    split = Split(captions, np.array([0]), np.ones((1, 2), np.float32), ("a",))
    objective = ScheduledSampling(0.8, WORDS)
    for progress in (0.0, 0.5, 1.0):
        request = BatchRequest(split, np.array([0]), progress, lambda: model, rng)
        share = (objective.batch(request).inputs == 4).mean()
        assert share == pytest.approx(0.8 * progress, abs=0.1)


def test_half_of_the_tokens_and_each_captions_own_image(rng):
    model = AttentionRNN(WORDS, 2, 5, 5, 5, 5, rng=rng)
    captions = np.array([[1, *[3] * 500, 2]] * 2)
    model.params["b_vocab"][:] = [-99, -99, -99, -99, 99]
    features = rng.standard_normal((1, 3, 2)).astype(np.float32)
    mixed = mixed_inputs(model, Batch(features, captions, np.array([0, 0])), 0.5, WORDS, rng)
    assert 0.4 < (mixed[:, 1:] == 4).mean() < 0.6
