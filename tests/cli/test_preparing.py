"""prepare and check from outside: what is printed where, and the status."""

import json
import shutil

import pytest

from limner.cli import main
from limner.data.opening import open_dataset


@pytest.fixture
def mine(drawn, tmp_path):
    """A folder as people have it: images and a table."""
    return shutil.copytree(drawn, tmp_path / "mine")


def test_check_then_prepare(mine, tmp_path, capsys):
    assert main(["check", str(mine)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == (
        f"{mine}: read as captions.csv and the images of {mine}/images/ (--format table)"
    )
    assert out[1].startswith("train: 20 images, 100 captions")
    assert out[-1].startswith("preparing takes 123 kB of features on disk, and ")
    assert list(tmp_path.iterdir()) == [mine]

    assert main(["prepare", str(mine), "--out", str(tmp_path / "out"), "--min-count", "2"]) == 0
    written = capsys.readouterr()
    assert out[0] in written.err
    assert written.out.splitlines() == [
        "train: 20 images, 100 captions",
        "dev: 2 images, 10 captions",
        "test: 2 images, 10 captions",
        f"vocabulary: {len(open_dataset(tmp_path / 'out').vocabulary)} words",
        f"dataset: {tmp_path / 'out'}",
    ]


def test_check_json(mine, capsys):
    (mine / "images" / "shapes-000003.jpg").write_bytes(b"GIF89a")
    assert main(["check", str(mine), "--json", "--features", "grid", "--views", "1"]) == 0
    written = capsys.readouterr()
    report = json.loads(written.out)
    assert report["format"] == "table"
    assert list(report["unreadable"]) == ["shapes-000003.jpg"]
    images = [counts["images"] for counts in report["splits"].values()]
    assert sum(images) == 23
    rows = sum(images) + report["splits"]["train"]["images"]
    assert report["cost"]["bytes"] == rows * 49 * 1819 * 2
    assert written.err == ""


def test_check_without_readable_images(mine, capsys):
    for image in (mine / "images").iterdir():
        image.write_bytes(b"")
    assert main(["check", str(mine)]) == 2
    assert "none of its 24 images can be read" in capsys.readouterr().err


def test_prepare_with_format(mine, tmp_path, capsys):
    for image in (mine / "images").glob("*.jpg"):
        image.with_suffix(".txt").write_text("a caption beside\n")
    assert main(["check", str(mine), "--format", "text"]) == 0
    assert "(--format text)" in capsys.readouterr().out
    assert main(["check", str(mine), "--format", "coco"]) == 2
    assert "captions.csv: not JSON" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["--dtype float16", "--pca 5 --features both", "--size 64"])
def test_prepare_twice(mine, tmp_path, capsys, change):
    command = ["prepare", str(mine), "--out", str(tmp_path / "out"), "--min-count", "2"]
    command += change.split()
    assert main(command) == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    capsys.readouterr()
    assert main(command) == 0
    assert "prepared already, nothing to do" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_check_html_refuses_other_files(mine, tmp_path, capsys):
    captions = mine / "captions.csv"
    before = captions.read_bytes()
    assert main(["check", str(mine), "--html", str(captions)]) == 2
    assert "captions.csv: exists and is not a limner report" in capsys.readouterr().err
    assert captions.read_bytes() == before
    for _ in range(2):  # its own it may replace
        assert main(["check", str(mine), "--html", str(tmp_path / "page.html")]) == 0


def test_prepare_refuses_option_without_effect(mine, tmp_path, capsys):
    options = ["--weights", "w.pth", "--out", str(tmp_path / "out")]
    assert main(["prepare", str(mine), *options]) == 2
    message = "limner: --weights has no effect with --backbone unset: leave it out\n"
    assert capsys.readouterr().err == message


def test_check_refuses_the_same_options_as_prepare(mine, capsys):
    assert main(["check", str(mine), "--min-count", "9999"]) == 2
    assert "no word occurs 9999 times" in capsys.readouterr().err
