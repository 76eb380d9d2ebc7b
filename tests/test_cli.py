"""The commands from outside: what they print, and where. What goes wrong is in test_errors.py."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from limner.cli import main

LIMNER = [sys.executable, "-c", "import sys; from limner.cli import main; sys.exit(main())"]


def picture(path, **save):
    Image.effect_noise((96, 64), 80).convert("RGB").save(path, **save)
    return path


@pytest.fixture
def run(capsys):
    """Run a command; returns (status, stdout, stderr)."""

    def call(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


# What works


def test_prepare_train_evaluate_caption(run, drawn, tmp_path):
    data, folder = tmp_path / "dataset", tmp_path / "run"
    table = drawn / "captions.csv"
    status, out, _ = run("prepare", drawn / "images", "--captions", table, "--out", data)
    assert status == 0
    assert out.splitlines()[-1] == f"dataset: {data}"
    small = ["--epochs", "1", "--hidden-dim", "8", "--wordvec-dim", "8", "--batch-size", "20"]
    status, out, err = run("train", data, "--out", folder, *small)
    assert status == 0
    assert out.splitlines()[-1] == f"report: {folder / 'report.html'}"
    assert err.startswith("epoch 1 of 1: loss ")
    status, out, _ = run("evaluate", folder, "--split", "train", "--json", tmp_path / "scores.json")
    assert status == 0
    result = json.loads((tmp_path / "scores.json").read_text("utf-8"))
    assert f"BLEU-1  {result['scores']['BLEU-1']:5.2f}" in out
    picked = sorted((drawn / "images").iterdir())[0]
    status, out, err = run("caption", "--model", folder, picked)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 1


def test_caption_prints_names_where_there_are_several(run, tmp_path):
    paths = [picture(tmp_path / "a.png"), picture(tmp_path / "b.jpg")]
    status, out, err = run("caption", tmp_path)
    assert (status, err) == (0, "")
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(path) for path in paths]


def test_caption_as_json(run, tmp_path):
    path = picture(tmp_path / "a.png")
    status, out, _ = run("caption", "--json", path)
    row = json.loads(out)
    assert (status, row["image"]) == (0, str(path))
    assert set(row) == {"image", "caption", "score"}
    assert row["score"] < 0


def test_info_and_version(run, tiny_run, tiny_dataset):
    assert run("--version")[1].startswith("limner 0.")
    assert "vocabulary: " in run("info", tiny_run)[1]
    assert "fingerprint: " in run("info", tiny_dataset)[1]
    assert "onnxruntime: " in run("info")[1]


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    for number in range(40):
        picture(tmp_path / f"{number:02}.png")
    command = " ".join(f"'{word}'" for word in [*LIMNER, "caption", str(tmp_path)])
    done = subprocess.run(
        f"{command} | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_one_bad_picture_stops_no_other(run, tmp_path):
    good, bad = picture(tmp_path / "good.png"), tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    status, out, err = run("caption", bad, good)
    assert status == 2
    assert out.startswith(f"{good}\t")
    assert len(err.splitlines()) == 1
