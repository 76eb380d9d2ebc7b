"""Runs with teachers: who may teach, and that their answers are kept."""

from dataclasses import replace

import msgspec
import pytest

from limner.captioner import BUNDLED_CAPTIONER
from limner.checkpoint import load_checkpoint, save_checkpoint
from limner.data.opening import open_dataset
from limner.errors import InputError
from limner.models import RNNConfig
from limner.training.config import TrainConfig, read_config
from limner.training.run import StoppedError, TrainingRun
from limner.vocabulary import Vocabulary

SMALL = RNNConfig(wordvec_dim=8, hidden_dim=8)


def train(dataset, folder, **settings):
    config = TrainConfig(model=SMALL, batch_size=20, epochs=1)
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


def test_teachers_that_read_a_grid(tiny_dataset, tmp_path):
    message = r"captioner\.safetensors: a teacher of other features: .* has one vector an image"
    with pytest.raises(InputError, match=message):
        train(open_dataset(tiny_dataset), tmp_path / "a", teachers=[str(BUNDLED_CAPTIONER)])


def test_damaged_soft_targets_are_refused(tiny_dataset, tiny_run, tmp_path):
    dataset = open_dataset(tiny_dataset)
    train(dataset, tmp_path / "run", teachers=[str(tiny_run)])
    file = tmp_path / "run" / "teachers.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    config = read_config(tmp_path / "run" / "config.toml")
    with pytest.raises(InputError, match=r"teachers\.safetensors: damaged .*; delete it, and"):
        TrainingRun(dataset, tmp_path / "run", config, resume=True).train()
    file.unlink()
    lines = []
    TrainingRun(dataset, tmp_path / "run", config, resume=True, report=lines.append).train()
    assert lines[0] == "computing the soft targets of 1 model: LSTM"


def test_answers_of_others_are_not_taken(tiny_dataset, tiny_run, tmp_path):
    """A run that was stopped before its first checkpoint, and goes on with other teachers."""
    dataset, folder = open_dataset(tiny_dataset), tmp_path / "run"
    train(dataset, folder, teachers=[str(tiny_run)])
    (folder / "last.safetensors").unlink()
    config = read_config(folder / "config.toml")
    lines = []
    TrainingRun(dataset, folder, config, resume=True, report=lines.append).train()
    assert not lines[0].startswith("asking")
    (folder / "last.safetensors").unlink()
    other = msgspec.structs.replace(config, teachers=[str(tiny_run / "last.safetensors")])
    TrainingRun(dataset, folder, other, resume=True, report=lines.append).train()
    assert "computing the soft targets of 1 model: LSTM" in lines


def test_stop_while_soft_targets_are_computed(tiny_dataset, tiny_run, tmp_path):
    dataset = open_dataset(tiny_dataset)
    config = TrainConfig(model=SMALL, epochs=1, teachers=[str(tiny_run)])
    run = TrainingRun(dataset, tmp_path / "run", config, report=lambda line: run.stop())
    with pytest.raises(StoppedError):
        run.train()
    assert not (tmp_path / "run" / "teachers.safetensors").exists()
    TrainingRun(dataset, tmp_path / "run", config, resume=True, report=lambda line: None).train()


def test_teachers_of_images_of_another_size(tiny_dataset, tiny_run, tmp_path):
    teacher = load_checkpoint(tiny_run / "best.safetensors")
    teacher.info.backbone.preprocessing["size"] = 96
    small = tmp_path / "small.safetensors"
    save_checkpoint(small, teacher.model, teacher.info)
    message = r"small\.safetensors: a teacher with other features, of .* 96 x 96"
    with pytest.raises(InputError, match=message):
        train(open_dataset(tiny_dataset), tmp_path / "a", teachers=[str(small)])


def test_new_run_computes_soft_targets_again(tiny_dataset, tiny_run, tmp_path):
    dataset = open_dataset(tiny_dataset)
    first = train(dataset, tmp_path / "run", teachers=[str(tiny_run)])
    (tmp_path / "run" / "config.toml").unlink()
    other = train(dataset, tmp_path / "run", teachers=[str(tmp_path / "run")])
    ours, theirs = (one.solver.phase.objective._soft_targets.probs for one in (first, other))
    assert (ours != theirs).any()
    assert ours.sum(axis=2).max() == pytest.approx(0.5)
