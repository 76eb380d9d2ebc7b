"""The main job on real photographs, small: prepare, train, evaluate, caption."""

import json

import numpy as np
import pytest

from limner.backbones.open_backbone import open_backbone
from limner.cli import main
from limner.data.opening import open_dataset
from limner.images.images import load_image

TRAIN, DEV = 160, 40


@pytest.fixture(scope="module")
def dataset(flickr8k, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flickr8k")
    command = ["prepare", str(flickr8k / "images"), "--out", str(folder / "dataset")]
    command += ["--captions", str(flickr8k / "Flickr8k.token.txt"), "--min-count", "3"]
    for split, source, count in (("train", "train", TRAIN), ("dev", "dev", DEV)):
        names = (flickr8k / f"Flickr_8k.{source}Images.txt").read_text().split()[:count]
        (folder / f"{split}.txt").write_text("\n".join(names))
        command += ["--split", f"{split}={folder / split}.txt"]
    assert main(command) == 0
    return folder / "dataset"


@pytest.fixture(scope="module")
def run(dataset):
    folder = dataset.parent / "run"
    options = "--epochs 12 --batch-size 32 --hidden-dim 128 --wordvec-dim 64 --learning-rate 0.005"
    assert main(["train", str(dataset), "--out", str(folder), *options.split()]) == 0
    return folder


def test_prepare(dataset, flickr8k):
    data = open_dataset(dataset)
    assert {name: len(split.captions) for name, split in data.splits.items()} == {
        "train": 5 * TRAIN,
        "dev": 5 * DEV,
    }
    train = data.splits["train"]
    image = load_image(flickr8k / "images" / train.image_ids[7])
    backbone = open_backbone()
    features = backbone.features(backbone.preprocess(image)[None])[0]
    np.testing.assert_allclose(train.features[7], features, rtol=1e-3, atol=1e-3)
    assert len(data.references["dev"]) == DEV
    assert all(len(references) == 5 for references in data.references["dev"].values())


def test_train_and_evaluate(run, capsys):
    losses = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    steps = [line["loss"] for line in losses if "loss" in line]
    assert steps[-1] < 0.7 * steps[0]
    assert main(["evaluate", str(run), "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["captions"]) == DEV
    assert result["scores"]["BLEU-1"] > 30


def test_caption_with_this_model_and_with_the_one_that_ships(run, dataset, flickr8k, capsys):
    names = open_dataset(dataset).splits["dev"].image_ids[:3]
    paths = [str(flickr8k / "images" / name) for name in names]
    capsys.readouterr()
    assert main(["caption", "--model", str(run), "--json", *paths]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["image"] for row in rows] == paths
    assert all(row["caption"] and row["score"] < 0 for row in rows)
    assert main(["caption", *paths]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == paths
    assert all(len(line.split("\t")[1].split()) > 3 for line in lines)


def test_bundled_captioner_names_objects(flickr8k, capsys):
    """Words that anyone would say of these photographs."""
    expected = {
        "3515904775_f8acc5909e.jpg": {"dog", "water"},
        "2490687446_9d46fdf5a9.jpg": {"dog"},
        "2992614450_b5a6692239.jpg": {"bike"},
    }
    for name, words in expected.items():
        assert main(["caption", str(flickr8k / "images" / name)]) == 0
        assert words <= set(capsys.readouterr().out.split())
