"""limner dataset and limner check, from outside."""

import json
import os
import pty
import shutil
import subprocess
import sys

import pytest

from limner.cli import main
from limner.data.opening import open_dataset
from limner.evaluation.result_files import read_references
from limner.vocabulary import tokenize

LIMNER = [sys.executable, "-c", "import sys; from limner.cli import main; sys.exit(main())"]


@pytest.fixture
def run(capsys):
    """Run a command; returns (status, stdout, stderr)."""

    def call(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def at_a_terminal(*arguments, **variables):
    """What a command writes where stdout is a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **variables}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [*LIMNER, *map(str, arguments)], stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                part = b""
            if not part:
                break
            written += part
    os.close(ours)
    assert process.returncode == 0
    return written.decode()


def test_dataset_info_json_equals_text(run, tiny_dataset):
    status, out, _ = run("dataset", "info", tiny_dataset)
    assert status == 0
    assert out == run("info", tiny_dataset)[1]
    facts = json.loads(run("dataset", "info", tiny_dataset, "--json")[1])
    data = open_dataset(tiny_dataset)
    texts = [t for texts in data.references["train"].values() for t in texts]
    words = [word for text in texts for word in tokenize(text)]
    unknown = sum(word not in data.vocabulary.word_to_idx for word in words) / len(words)
    train = facts["splits"]["train"]
    assert train["unknown"] == pytest.approx(unknown)
    assert train["words_a_caption"]["most"] == max(len(tokenize(text)) for text in texts)
    assert f"; {unknown:.1%} <UNK>" in out.splitlines()[1]
    assert facts["bytes"] == sum(file.stat().st_size for file in tiny_dataset.iterdir())
    assert facts["features"]["shapes"] == {"features": [1280]}


def test_head_prints_raw_captions(run, tiny_dataset):
    data = open_dataset(tiny_dataset)
    status, out, err = run("dataset", "head", tiny_dataset, "--number", 3, "--start", 2)
    assert (status, err) == (0, "")
    expected = []
    for row in (2, 3, 4):
        image = data.splits["train"].image_ids[row]
        expected += [f"train {row}: {image}", f"  {data.image_file(image)}"]
        for text in data.references["train"][image]:
            known = data.vocabulary.word_to_idx
            expected.append("  " + " ".join(w if w in known else f"[{w}]" for w in text.split()))
    assert out.splitlines() == expected
    everything = run("dataset", "head", tiny_dataset, "--number", 99)[1]
    assert everything.count("train ") == 20
    assert "[" in everything


def test_head_draws_images_in_color_terminal(tiny_dataset):
    head = ("dataset", "head", tiny_dataset, "--number", 1)
    drawn = at_a_terminal(*head)
    assert drawn.count("▀") == 36 * 18
    assert "\x1b[38;2;" in drawn
    assert "▀" not in at_a_terminal(*head, "--no-images")
    assert "\x1b[" not in at_a_terminal(*head, TERM="dumb")


def test_head_reports_missing_images(run, tiny_dataset, tmp_path):
    moved = shutil.copytree(tiny_dataset, tmp_path / "moved")
    info = json.loads((moved / "dataset.json").read_text())
    info["source"]["images"] = str(tmp_path / "nowhere")
    (moved / "dataset.json").write_text(json.dumps(info))
    status, out, _ = run("dataset", "head", moved, "--number", 1)
    assert status == 0
    assert f"  {tmp_path / 'nowhere'}" in out
    assert "no such file" in out


def test_head_writes_html(run, tiny_dataset, tmp_path):
    page = tmp_path / "rows.html"
    status, out, _ = run("dataset", "head", tiny_dataset, "--split", "dev", "--html", page)
    assert (status, out) == (0, f"page: {page}\n")
    assert page.read_text("utf-8").count('class="card"') == 2


def test_subset_merge_export(run, tiny_dataset, tmp_path):
    halves = []
    for number in (0, 1):
        out = tmp_path / f"half{number}"
        command = ("--split", "train=12", "--seed", number, "--min-count", 1)
        status, printed, _ = run("dataset", "subset", tiny_dataset, "--out", out, *command)
        assert status == 0
        assert printed.splitlines()[0].startswith("train: 12 images")
        halves.append(out)
    status, printed, said = run("dataset", "merge", *halves, "--out", tmp_path / "whole")
    assert status == 0
    assert "captions united" in said
    whole = open_dataset(tmp_path / "whole")
    assert printed.splitlines()[-1] == f"dataset: {whole.path}"
    assert whole.info.min_count == 1
    union = {i for half in halves for i in open_dataset(half).splits["train"].image_ids}
    assert set(whole.splits["train"].image_ids) == union
    file = tmp_path / "all.jsonl"
    status, printed, said = run("dataset", "export", whole.path, "--format", "jsonl", "--out", file)
    assert (status, printed) == (0, f"{file}\n")
    assert said == ""
    expected = {i: texts for images in whole.references.values() for i, texts in images.items()}
    assert read_references(file) == expected


def test_export_reports_several_image_folders(run, tiny_dataset, tmp_path):
    """COCO's JSON names files below one folder."""
    moved = shutil.copytree(tiny_dataset, tmp_path / "moved")
    info = json.loads((moved / "dataset.json").read_text())
    counts = ({"train": 20}, {"dev": 2, "test": 2})
    info["sources"] = [{"source": info["source"], "pictures": some} for some in counts]
    (moved / "dataset.json").write_text(json.dumps(info))
    for format, line in {
        "coco": f"{moved}: its images are in 2 folders, and coco stores only their names; ",
        "webdataset": "",
    }.items():
        out = tmp_path / format
        status, _, said = run("dataset", "export", moved, "--format", format, "--out", out)
        assert status == 0
        assert said.startswith(line)
        assert bool(said) == bool(line)


def test_export_skips_missing_images(run, drawn, tiny_dataset, tmp_path):
    moved = shutil.copytree(tiny_dataset, tmp_path / "moved")
    images = shutil.copytree(drawn / "images", tmp_path / "images")
    gone = open_dataset(tiny_dataset).splits["dev"].image_ids[0]
    (images / gone).unlink()
    info = json.loads((moved / "dataset.json").read_text())
    info["source"]["images"] = str(images)
    (moved / "dataset.json").write_text(json.dumps(info))
    out = tmp_path / "shards"
    status, printed, said = run("dataset", "export", moved, "--format", "webdataset", "--out", out)
    assert status == 0
    assert said == f"images not found, skipped: 1: {gone}\n"
    assert printed.splitlines() == [f"{out}/{name}-000000.tar" for name in ("train", "dev", "test")]


def test_check_writes_html(run, drawn, tmp_path):
    page = tmp_path / "check.html"
    source = (drawn / "images", "--captions", drawn / "captions.csv")
    status, out, _ = run("check", *source, "--html", page)
    assert status == 0
    assert out.splitlines()[-1] == f"page: {page}"
    assert page.read_text("utf-8").count('class="card"') == 24
    status, out, _ = run("check", *source, "--html", page, "--json")
    assert json.loads(out)["can_be_prepared"] is True


def test_check_fails_without_training_images(run, drawn, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.jpg").write_bytes(b"")
    (images / "b.jpg").write_bytes(b"")
    table = "image,caption,split\na.jpg,A dog,train\nb.jpg,A cat,dev\n"
    (tmp_path / "captions.csv").write_text(table)
    source = (images, "--captions", tmp_path / "captions.csv")
    for options in ((), ("--html", tmp_path / "check.html"), ("--json",)):
        status, out, err = run("check", *source, *options)
        assert status == 2
        assert "a.jpg: empty, 0 bytes" in out
        assert err.startswith("limner: ")
        assert "none of its 2 images can be read" in err
    assert json.loads(out)["can_be_prepared"] is False
    assert "It cannot be prepared" in (tmp_path / "check.html").read_text("utf-8")
