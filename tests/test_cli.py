"""The commands from outside: what they print and where, and one clear line for every mishap."""

import json
import resource
import shutil
import signal
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from limner.captioner import BUNDLED_CAPTIONER
from limner.checkpoint import load_checkpoint, save_checkpoint
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


# Odd pictures that are fine


def _sixteen_bit(path):
    Image.fromarray((np.arange(6144).reshape(64, 96) * 10).astype(np.uint16)).save(path)


ODD_PICTURES = {
    "cmyk.jpg": lambda path: Image.new("CMYK", (96, 64), (0, 99, 99, 9)).save(path),
    "palette.png": lambda path: Image.new("P", (96, 64), 3).save(path, transparency=3),
    "sixteen-bit.png": _sixteen_bit,
    "rotated.jpg": lambda path: Image.new("RGB", (96, 64), "red").save(path, exif=_rotation(6)),
    "wide.png": lambda path: Image.new("RGB", (50_000, 20), "blue").save(path),
}


def _rotation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("name", ODD_PICTURES)
def test_odd_pictures_are_captioned(run, tmp_path, name):
    ODD_PICTURES[name](tmp_path / name)
    status, out, err = run("caption", tmp_path / name)
    assert (status, err) == (0, "")
    assert len(out.split()) > 2


# Mishaps. Each maker returns the command and the name that the one line must hold.


def _broken_picture(content):
    def make(tmp, **_):
        (tmp / "broken.jpg").write_bytes(content(tmp))
        return ["caption", tmp / "broken.jpg"], "broken.jpg"

    return make


def _bomb(_):
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def _truncated(tmp):
    return picture(tmp / "whole.jpg").read_bytes()[:900]


def _captions(content):
    def make(tmp, drawn, **_):
        (tmp / "table.csv").write_bytes(content)
        command = ["prepare", drawn / "images", "--captions", tmp / "table.csv"]
        return [*command, "--out", tmp / "out"], "table.csv"

    return make


def _dataset(damage, name):
    def make(tmp, tiny_dataset, **_):
        shutil.copytree(tiny_dataset, tmp / "data")
        damage(tmp / "data")
        return ["train", tmp / "data", "--out", tmp / "run"], name

    return make


def _half_written(data):
    (data / "dataset.json").unlink()
    (data / "partial").mkdir()


def _cut(name):
    def damage(data):
        content = (data / name).read_bytes()
        (data / name).write_bytes(content[: len(content) // 2])

    return damage


def _other_vocabulary(data):
    words = json.loads((data / "vocab.json").read_text())
    words["idx_to_word"].append("elsewhere")
    (data / "vocab.json").write_text(json.dumps(words))


def _checkpoint(content):
    def make(tmp, **_):
        (tmp / "model.safetensors").write_bytes(content(BUNDLED_CAPTIONER.read_bytes()))
        command = ["caption", "--model", tmp / "model.safetensors", picture(tmp / "a.png")]
        return command, "model.safetensors"

    return make


def _other_version(content):
    return content.replace(b'\\"schema_version\\": 1,', b'\\"schema_version\\": 7,')


def _other_backbone(tmp, **_):
    checkpoint = load_checkpoint(BUNDLED_CAPTIONER)
    checkpoint.info["backbone"] = {"name": "vgg16", "sha256": "f" * 64}
    save_checkpoint(tmp / "vgg.safetensors", checkpoint.model, checkpoint.info)
    return ["caption", "--model", tmp / "vgg.safetensors", picture(tmp / "a.png")], "vgg16"


MISHAPS = {
    "picture truncated": _broken_picture(_truncated),
    "picture of 0 bytes": _broken_picture(lambda _: b""),
    "not a picture": _broken_picture(lambda _: b"<html>not found</html>"),
    "picture of 50,000 x 50,000": _broken_picture(_bomb),
    "no such picture": lambda tmp, **_: (["caption", tmp / "absent.jpg"], "absent.jpg"),
    "captions without a column": _captions(b"file,text\na.jpg,a dog\n"),
    "captions of another encoding": _captions("image,caption\na.jpg,un café\n".encode("latin-1")),
    "captions of no picture there": _captions(b"image,caption\nelsewhere.jpg,a dog\n"),
    "captions all blank": _captions(b"image,caption\na.jpg, \n"),
    "dataset half-written": _dataset(_half_written, "data"),
    "captions.h5 truncated": _dataset(_cut("captions.h5"), "captions.h5"),
    "features truncated": _dataset(_cut("train_features.h5"), "train_features.h5"),
    "another vocabulary": _dataset(_other_vocabulary, "vocab.json"),
    "checkpoint truncated": _checkpoint(lambda content: content[:5000]),
    "checkpoint of another version": _checkpoint(_other_version),
    "not a checkpoint": _checkpoint(lambda content: b"weights"),
    "another backbone": _other_backbone,
    "unknown option": lambda tmp, **_: (["caption", "--loud", "a.jpg"], "--loud"),
    "unknown command": lambda tmp, **_: (["paint"], "paint"),
    "split without a file": lambda tmp, drawn, **_: (
        ["prepare", drawn, "--captions", drawn / "captions.csv", "--out", tmp, "--split", "train"],
        "--split train",
    ),
    "setting out of range": lambda tmp, tiny_dataset, **_: (
        ["train", tiny_dataset, "--out", tmp / "run", "--epochs", "0"],
        "epochs",
    ),
}


@pytest.mark.parametrize("what", MISHAPS)
def test_a_mishap_is_one_line_and_status_2(run, what, tmp_path, drawn, tiny_dataset):
    command, name = MISHAPS[what](tmp_path, drawn=drawn, tiny_dataset=tiny_dataset)
    status, out, err = run(*command)
    last = err.splitlines()[-1]
    assert status == 2
    assert out == ""
    assert last.startswith("limner: ")
    assert name in last
    assert "Traceback" not in err
    assert "a mistake in limner" not in err


def test_unknown_pictures_and_blank_captions_are_named_and_left_out(run, drawn, tmp_path):
    table = tmp_path / "more.csv"
    extra = "absent.jpg,a dog\nshapes-000000.jpg, \n"
    table.write_text((drawn / "captions.csv").read_text("utf-8") + extra, "utf-8")
    command = ["prepare", drawn / "images", "--captions", table, "--out", tmp_path / "out"]
    status, out, err = run(*command, "--min-count", "1")
    assert status == 0
    assert "absent.jpg: no such picture" in err
    assert "line 123: a blank caption for shapes-000000.jpg" in err
    assert "captions" in out


def test_debug_shows_the_traceback(run, tmp_path):
    status, _, err = run("info", tmp_path / "absent", "--debug")
    assert status == 2
    assert "Traceback" in err


def test_a_full_disk_is_one_line_status_1_and_harms_nothing(tiny_dataset, tmp_path):
    """A real limit of the kernel's: files end at 200 kB, as on a disk that is full."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    command = [*LIMNER, "train", str(tiny_dataset), "--out", str(tmp_path / "run"), "--epochs", "1"]
    full = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert full.returncode == 1
    line = full.stderr.splitlines()[-1]
    assert ".safetensors: cannot be written (File too large)" in line
    assert "Traceback" not in full.stderr
    assert not list((tmp_path / "run").glob("*.safetensors"))
    again = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert (tmp_path / "run" / "best.safetensors").exists()
