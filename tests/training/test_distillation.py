"""What teachers expect, and that a model learns it."""

import numpy as np
import pytest

from limner.data.dataset import Split
from limner.engine import NumpyEngine
from limner.models import Batch, CaptioningRNN, Ensemble
from limner.training import distillation
from limner.training.distillation import Distillation, soft_targets_of
from limner.training.objectives import BatchRequest

WORDS = {word: index for index, word in enumerate(["<NULL>", "<START>", "<END>", "<UNK>", *"abcd"])}
CAPTIONS = np.array(
    [[1, 4, 5, 2, 0], [1, 6, 2, 0, 0], [1, 7, 4, 5, 2], [1, 5, 5, 2, 0]], dtype=np.int32
)
SPLIT = Split(CAPTIONS, np.array([2, 0, 2, 1]), np.eye(3, dtype=np.float32), ("x", "y", "z"))


def new_model(seed):
    model = CaptioningRNN(WORDS, 3, 5, 6, "lstm", np.float64, rng=np.random.default_rng(seed))
    model.params["W_vocab"] *= 8  # of firm opinions
    return model


def dense(soft):
    """(M, T - 1, V)"""
    out = np.zeros((*soft.tokens.shape[:2], len(WORDS)))
    np.add.at(out, (*np.indices(soft.tokens.shape)[:2], soft.tokens), soft.probs)
    return out


def teach(teacher, split):
    return soft_targets_of(teacher, len(WORDS), split)


@pytest.mark.parametrize("images", [1, 2, 50])
def test_soft_targets_are_the_teachers_probabilities(images, monkeypatch):
    monkeypatch.setattr(distillation, "IMAGES", images)
    teacher = Ensemble([new_model(0), new_model(1)])
    expected = np.zeros((4, 4, len(WORDS)))
    for row, (caption, image) in enumerate(zip(CAPTIONS, SPLIT.image_idxs, strict=True)):
        for member in teacher.members:
            state = member.start(SPLIT.features[[image]])
            for t in range(np.flatnonzero(caption == 2)[0]):
                scores, state = member.step(caption[[t]], state)
                expected[row, t] += np.exp(scores[0]) / np.exp(scores).sum() / 2
    np.testing.assert_allclose(dense(teach(teacher, SPLIT)), expected, atol=1e-6)


def test_only_the_likeliest_words_are_kept(monkeypatch):
    teacher = Ensemble([new_model(0)])
    whole = dense(teach(teacher, SPLIT))
    monkeypatch.setattr(distillation, "KEPT", 3)
    kept = dense(teach(teacher, SPLIT))
    assert (np.count_nonzero(kept, axis=2)[CAPTIONS[:, 1:] != 0] == 3).all()
    there = kept > 0
    assert (np.where(there, whole, 2).min(axis=2) >= np.where(there, 0, whole).max(axis=2)).all()
    best = np.where(there, whole, 0)
    total = np.maximum(best.sum(axis=2, keepdims=True), 1e-9)
    np.testing.assert_allclose(kept, best / total, atol=1e-6)


def test_student_approaches_its_teacher():
    """Nothing of what people say: after enough steps the student expects what the teacher does."""
    soft = teach(new_model(0), SPLIT)
    student = new_model(1)
    engine = NumpyEngine(student, "adam")
    batch = Batch(SPLIT.features, CAPTIONS, SPLIT.image_idxs, soft_targets=soft)
    for _ in range(400):
        engine.step(batch, learning_rate=0.02)
    after = np.abs(dense(teach(student, SPLIT)) - dense(soft)).sum(axis=2).max()
    before = np.abs(dense(teach(new_model(1), SPLIT)) - dense(soft)).sum(axis=2).max()
    assert before > 0.5
    assert after < 0.1


def test_the_objective_gives_every_caption_its_own_soft_targets(rng):
    soft = teach(new_model(0), SPLIT)
    rows = np.array([2, 0])
    batch = Distillation(soft).batch(BatchRequest(SPLIT, rows, 0.0, lambda: None, rng))
    np.testing.assert_array_equal(batch.captions, CAPTIONS[rows])
    np.testing.assert_array_equal(batch.soft_targets.probs, soft.probs[rows])
    np.testing.assert_array_equal(batch.features[batch.image_idxs], SPLIT.features[[2, 2]])
