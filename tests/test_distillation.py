"""What teachers expect, and that a model learns it."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from limner import distillation
from limner.checkpoint import load_checkpoint, save_checkpoint
from limner.data.dataset import Split, open_dataset
from limner.distillation import teach
from limner.engine import NumpyEngine
from limner.errors import InputError
from limner.models import CaptioningRNN, Ensemble
from limner.run import TrainingRun
from limner.settings import TrainConfig, read_config
from limner.vocabulary import Vocabulary

WORDS = {word: index for index, word in enumerate(["<NULL>", "<START>", "<END>", "<UNK>", *"abcd"])}
CAPTIONS = np.array(
    [[1, 4, 5, 2, 0], [1, 6, 2, 0, 0], [1, 7, 4, 5, 2], [1, 5, 5, 2, 0]], dtype=np.int32
)
SPLIT = Split(CAPTIONS, np.array([2, 0, 2, 1]), np.eye(3, dtype=np.float32), ("x", "y", "z"))


def new_model(seed):
    model = CaptioningRNN(WORDS, 3, 5, 6, "lstm", np.float64, rng=np.random.default_rng(seed))
    model.params["W_vocab"] *= 8  # of firm opinions
    return model


def dense(shared):
    """(M, T - 1, V)"""
    out = np.zeros((*shared.words.shape[:2], len(WORDS)))
    np.add.at(out, (*np.indices(shared.words.shape)[:2], shared.words), shared.shares)
    return out


@pytest.mark.parametrize("pictures", [1, 2, 50])
def test_it_is_what_the_models_say_after_a_captions_words(pictures, monkeypatch):
    monkeypatch.setattr(distillation, "PICTURES", pictures)
    teacher = Ensemble([new_model(0), new_model(1)])
    expected = np.zeros((4, 4, len(WORDS)))
    for row, (caption, picture) in enumerate(zip(CAPTIONS, SPLIT.image_idxs, strict=True)):
        for member in teacher.members:
            state = member.initial_state(SPLIT.features[[picture]])
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


def test_a_student_comes_to_say_what_its_teacher_says():
    """Nothing of what people say: after enough steps the student expects what the teacher does."""
    shared = teach(new_model(0), SPLIT)
    student = new_model(1)
    engine = NumpyEngine(student, "adam", {"learning_rate": 0.02})
    for _ in range(400):
        engine.step(SPLIT.features, CAPTIONS, SPLIT.image_idxs, shared=shared)
    after = np.abs(dense(teach(student, SPLIT)) - dense(shared)).sum(axis=2).max()
    before = np.abs(dense(teach(new_model(1), SPLIT)) - dense(shared)).sum(axis=2).max()
    assert before > 0.5
    assert after < 0.1


def train(dataset, folder, **settings):
    config = TrainConfig(wordvec_dim=8, hidden_dim=8, batch_size=20, epochs=1)
    config = msgspec.structs.replace(config, **settings)
    run = TrainingRun(dataset, folder, config, report=lambda line: None)
    run.train()
    return run


def test_bad_teachers(tiny_dataset, tiny_run, tmp_path):
    dataset = open_dataset(tiny_dataset)
    with pytest.raises(InputError, match="nowhere: no such checkpoint"):
        train(dataset, tmp_path / "a", teachers=[str(tmp_path / "nowhere")])
    assert not (tmp_path / "a").exists()  # nothing is begun that cannot be done
    words = dataset.vocabulary.word_to_idx
    renamed = Vocabulary.from_mapping(
        {f"{word}s" if i > 3 else word: i for word, i in words.items()}
    )
    with pytest.raises(InputError, match=r"best\.safetensors: a teacher with another vocabulary"):
        train(replace(dataset, vocabulary=renamed), tmp_path / "a", teachers=[str(tiny_run)])
    assert not (tmp_path / "a").exists()


def test_damaged_answers_are_told(tiny_dataset, tiny_run, tmp_path):
    dataset = open_dataset(tiny_dataset)
    train(dataset, tmp_path / "run", teachers=[str(tiny_run)])
    file = tmp_path / "run" / "teachers.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    config = read_config(tmp_path / "run" / "config.toml")
    with pytest.raises(InputError, match=r"teachers\.safetensors: damaged .*; delete it, and"):
        TrainingRun(dataset, tmp_path / "run", config, resume=True)
    file.unlink()
    lines = []
    TrainingRun(dataset, tmp_path / "run", config, resume=True, report=lines.append)
    assert lines == ["asking 1 model: LSTM what they would say"]


def test_teachers_of_pictures_of_another_size(tiny_dataset, tiny_run, tmp_path):
    teacher = load_checkpoint(tiny_run / "best.safetensors")
    teacher.info["backbone"]["preprocessing"]["size"] = 96
    small = tmp_path / "small.safetensors"
    save_checkpoint(small, teacher.model, teacher.info)
    message = r"small\.safetensors: a teacher with other features, of .* 96 x 96"
    with pytest.raises(InputError, match=message):
        train(open_dataset(tiny_dataset), tmp_path / "a", teachers=[str(small)])


def test_teachers_are_asked_anew_where_a_run_begins_anew(tiny_dataset, tiny_run, tmp_path):
    dataset = open_dataset(tiny_dataset)
    first = train(dataset, tmp_path / "run", teachers=[str(tiny_run)])
    (tmp_path / "run" / "config.toml").unlink()
    other = train(dataset, tmp_path / "run", teachers=[str(tmp_path / "run")])
    assert (first.solver.shared.shares != other.solver.shared.shares).any()
    assert first.solver.shared.shares.sum(axis=2).max() == pytest.approx(0.5)
