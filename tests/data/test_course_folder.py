"""The course's own folder as a dataset: opened and trained on as it is, and never scored."""

import json

import h5py
import numpy as np
import pytest

from limner import open_dataset
from limner.cli import main
from limner.vocabulary import SPECIAL

WORDS = [*SPECIAL, "a", "dog", "cat", "runs"]


@pytest.fixture
def course(tmp_path, rng):
    folder = tmp_path / "coco_captioning"
    folder.mkdir()
    (folder / "coco2014_vocab.json").write_text(
        json.dumps({"idx_to_word": WORDS, "word_to_idx": {w: i for i, w in enumerate(WORDS)}})
    )
    with h5py.File(folder / "coco2014_captions.h5", "w") as file:
        for split, image_files in (("train", 7), ("val", 3)):
            file[f"{split}_captions"] = np.array([[1, 4, 5, 7, 2, 0]] * 4 * image_files, np.int32)
            file[f"{split}_image_idxs"] = np.repeat(np.arange(image_files, dtype=np.int32), 4)
            with h5py.File(folder / f"{split}2014_vgg16_fc7_pca.h5", "w") as features:
                features["features"] = rng.standard_normal((image_files, 5)).astype(np.float32)
            (folder / f"{split}2014_urls.txt").write_text(
                "http://example.org/a.jpg\n" * image_files
            )
    return folder


def test_it_opens(course):
    dataset = open_dataset(course)
    assert {name: split.features.shape for name, split in dataset.splits.items()} == {
        "train": (7, 5),
        "val": (3, 5),
    }
    assert dataset.references == {}


def test_it_is_trained_on_without_preparing_and_not_scored(course, tmp_path, capsys):
    run = tmp_path / "run"
    sizes = ["--wordvec-dim", "8", "--hidden-dim", "8", "--batch-size", "7", "--epochs", "2"]
    assert main(["train", str(course), "--out", str(run), *sizes]) == 0
    assert "epoch 2 of 2: loss" in capsys.readouterr().err
    assert main(["train", str(course), "--out", str(run), "--resume", "--epochs", "3"]) == 0
    assert "epoch 3 of 3: loss" in capsys.readouterr().err
    assert (run / "best.safetensors").exists()
    assert main(["evaluate", str(run)]) == 2
    assert "scores are computed from raw references alone" in capsys.readouterr().err


def test_course_folder_cannot_be_prepared(course, tmp_path, capsys):
    assert main(["prepare", str(course), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"limner train {course} --out" in line
    assert not (tmp_path / "out").exists()
