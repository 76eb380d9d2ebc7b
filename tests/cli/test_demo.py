"""The embedded dataset through the whole of limner: it can be learnt, and only by looking."""

from dataclasses import replace

import numpy as np
import pytest

from limner import open_dataset
from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.cli import main
from limner.evaluation.evaluate import evaluate


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "out"
    assert main(["demo", "--out", str(folder), "--images", "1000", "--epochs", "9"]) == 0
    return folder


def test_demo_writes_dataset_run_and_report(demo):
    assert len(list((demo / "images" / "images").glob("*.jpg"))) == 1000
    assert (demo / "run" / "best.safetensors").exists()
    page = (demo / "run" / "report.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 100
    dataset = open_dataset(demo / "dataset")
    assert {name: len(split.image_ids) for name, split in dataset.splits.items()} == {
        "train": 800,
        "dev": 100,
        "test": 100,
    }


def test_demo_score_depends_on_images(demo):
    """A captioner that does not look would score the same."""
    dataset = open_dataset(demo / "dataset")
    model = load_checkpoint(checkpoint_path(demo / "run")).model
    seen = evaluate(model, dataset, "test")
    test = dataset.splits["test"]
    order = np.roll(np.arange(len(test.features)), 1)  # everyone gets a neighbour's image
    shuffled = {**dataset.splits, "test": replace(test, features=test.features[order])}
    blind = evaluate(model, replace(dataset, splits=shuffled), "test")
    assert seen.scores["BLEU-4"] > 20
    assert blind.scores["BLEU-4"] < 0.5 * seen.scores["BLEU-4"]
    assert len(set(seen.captions.values())) > 50


def test_demo_refuses_used_folder(demo, capsys):
    assert main(["demo", "--out", str(demo), "--images", "100"]) == 2
    assert "contains an earlier demo" in capsys.readouterr().err
