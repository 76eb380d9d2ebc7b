"""Whatever is wrong with what people give: one clear line, an exit status, and nothing lost."""

import json
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from checkpoint_files import change_facts
from limner.cli import main
from limner.data.opening import open_dataset

GOOD = "shapes-000000.jpg"


@pytest.fixture
def place(tmp_path, drawn, tiny_dataset, tiny_run):
    """A folder with images, captions.csv, a dataset and a run, to break."""
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    shutil.copytree(tiny_dataset, tmp_path / "dataset")
    shutil.copytree(tiny_run, tmp_path / "run")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Each case writes what is wrong, and returns (the command, the file that its line must name).


def image(name, write):
    """An image, captioned after a good one."""

    def make(place):
        path = place / name
        write(path)
        good = place / "images" / GOOD
        return ["caption", "--model", place / "run", good, path], path

    return make


def truncated(path):
    path.write_bytes((path.parent / "images" / GOOD).read_bytes()[:700])


def header_alone(path):
    """A PNG that declares 50,000 x 50,000 pixels and has none."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT\x35\xaf\x06\x1e")


def bomb(path):
    """Pixels that are there, 50,000 x 2,200 of them, in some 13 kB."""
    Image.new("1", (50_000, 2_200)).save(path)


def captions(content):
    """A captions file, prepared."""

    def make(place):
        path = place / "mine.csv"
        path.write_bytes(content)
        return prepare(place, path), path

    return make


def prepare(place, path):
    out = place / "new"
    return ["prepare", place / "images", "--captions", path, "--out", out, "--min-count", 1]


def no_captions_file(place):
    return prepare(place, place / "no.csv"), place / "no.csv"


def dataset(name, damage):
    """A file of the dataset, damaged, and then trained on."""

    def make(place):
        damage(place / "dataset" / name)
        return ["train", place / "dataset", "--out", place / "new"], place / "dataset" / name

    return make


def half_written(path):
    (path / "dataset.json").unlink()
    (path / "partial").mkdir()


def shorten(path):
    path.write_bytes(path.read_bytes()[:-300])


def another_vocabulary(path):
    words = json.loads(path.read_text())["idx_to_word"]
    path.write_text(json.dumps({"idx_to_word": [*words[:-1], "zebra"]}))


def ids_beyond(path):
    with h5py.File(path, "r+") as file:
        file["dev_captions"][0, 1] = 500


def checkpoint(damage, *command):
    """The run's best checkpoint, damaged, and then used."""

    def make(place):
        path = place / "run" / "best.safetensors"
        damage(path)
        return [text.format(place=place) for text in command], path

    return make


def save_as(**changes):
    """A checkpoint with other facts in it."""

    def save(path):
        change_facts(path, lambda facts: facts.update(changes))

    return save


def a_text(path):
    path.write_text("weights, honestly")


def downloads(line):
    """A catalogue with a line that cannot be, and a download from it."""

    def make(place):
        path = place / "downloads.toml"
        path.write_text(
            '[cats]\ntitle = "Cats"\nlicence = "none"\ncitation = "nobody"\n'
            f'[[cats.files]]\nurl = "https://example.org/cats.zip"\n{line}\n'
        )
        return ["download", "cats", "--catalog", path, "--out", place / "new"], path

    return make


CAPTION = ("caption", "--model", "{place}/run", f"{{place}}/images/{GOOD}")
OTHER_BACKBONE = save_as(backbone={"name": "vgg16", "sha256": "0" * 64})

REFUSED = {
    "image truncated": (image("a.jpg", truncated), "truncated"),
    "image empty": (image("a.jpg", lambda path: path.write_bytes(b"")), "empty, 0 bytes"),
    "not an image": (image("a.jpg", a_text), "not an image"),
    "no image": (image("a.jpg", lambda path: None), "no such file"),
    "a folder without images": (image("empty", Path.mkdir), "no image in it"),
    "50,000 pixels wide and high": (
        image("a.png", header_alone),
        "more than 178,956,970 pixels",
    ),
    "a bomb": (image("a.png", bomb), "50,000 x 2,200 pixels, more than"),
    "no column caption": (captions(b"image,when\na.jpg,2019\n"), "no column caption"),
    "captions in damaged UTF-8": (
        captions(b"image,caption\na.jpg,caf\xc3\xa9, caf\xe9\n"),
        "line 2: not UTF-8",
    ),
    "captions that are not there": (no_captions_file, "no such file"),
    "half-written dataset": (dataset("", half_written), "preparation unfinished; run the same"),
    "features truncated": (dataset("train_features.h5", shorten), "damaged or truncated"),
    "captions truncated": (dataset("captions.h5", shorten), "damaged or truncated"),
    "vocabulary of another dataset": (
        dataset("vocab.json", another_vocabulary),
        "belongs to another dataset",
    ),
    "captions of another vocabulary": (dataset("captions.h5", ids_beyond), "word ids from"),
    "checkpoint truncated": (checkpoint(shorten, *CAPTION), "damaged"),
    "checkpoint truncated, evaluated": (
        checkpoint(shorten, "evaluate", "{place}/run"),
        "damaged",
    ),
    "checkpoint truncated, described": (checkpoint(shorten, "info", "{place}/run"), "damaged"),
    "checkpoint of another version": (
        checkpoint(save_as(schema_version=99), *CAPTION),
        "schema version 99, and this limner reads version 1",
    ),
    "not a checkpoint": (checkpoint(a_text, *CAPTION), "not a checkpoint"),
    "model of another backbone": (
        checkpoint(OTHER_BACKBONE, *CAPTION),
        "trained on features of vgg16",
    ),
    "a run that exists already": (
        lambda place: (["train", place / "dataset", "--out", place / "run"], place / "run"),
        "contains a run already",
    ),
    "an unknown setting": (
        lambda place: (
            [
                "train",
                place / "dataset",
                "--out",
                place / "new",
                "--config",
                place / "captions.csv",
            ],
            place / "captions.csv",
        ),
        "docs/training.md has the settings",
    ),
    "an unknown option": (lambda place: (["train", "--hiden-dim", 5], "--hiden-dim"), "--help"),
    "a catalogue with an unknown key": (downloads("size = 5"), "unknown field `size`"),
    "a checksum cut short": (downloads('sha256 = "abc"'), "matching regex"),
    "a name that leads out": (
        downloads('unpack = "zip"\nkeep = ["../cats"]'),
        "is no plain name of a file",
    ),
    "no catalogue": (
        lambda place: (["download", "cats", "--catalog", place / "no.toml"], place / "no.toml"),
        "No such file",
    ),
    "an unknown download": (
        lambda place: (["download", "flickr9k"], "flickr9k"),
        "available: coco-captioning, coco2014, flickr30k, flickr8k",
    ),
    "an unknown command": (lambda place: (["trian"], "trian"), "limner --help"),
    "a ratio of two": (
        lambda place: (
            [*prepare(place, place / "captions.csv"), "--ratio", "8,nan,1"],
            "8,nan,1",
        ),
        "expected three numbers",
    ),
    "a split without a file": (
        lambda place: ([*prepare(place, place / "captions.csv"), "--split", "dev"], "--split dev"),
        "expected NAME=FILE",
    ),
}


def to_dataset(*command, names="{place}/dataset"):
    """`limner dataset`, and what its line must name."""

    def make(place):
        arguments = [str(part).format(place=place) for part in command]
        return ["dataset", *arguments], names.format(place=place)

    return make


NEW = ("--out", "{place}/new")
REFUSED |= {
    "a dataset that is none": (
        to_dataset("info", "{place}/images", names="{place}/images"),
        "dataset.json",
    ),
    "rows of a split that is not there": (
        to_dataset("head", "{place}/dataset", "--split", "fold"),
        "no split fold; it has train, dev, test",
    ),
    "rows after the last": (
        to_dataset("head", "{place}/dataset", "--start", 20),
        "--start 20: ",
    ),
    "one dataset to merge": (
        to_dataset("merge", "{place}/dataset", *NEW),
        "only one dataset",
    ),
    "merged into one of them": (
        to_dataset("merge", "{place}/dataset", "{place}/dataset", "--out", "{place}/dataset"),
        "contains a dataset already",
    ),
    "merged into a file": (
        to_dataset(
            "merge",
            *["{place}/dataset"] * 2,
            "--out",
            "{place}/captions.csv",
            names="{place}/captions.csv",
        ),
        "a file; --out takes a folder",
    ),
    "merged with a run": (
        to_dataset("merge", "{place}/dataset", "{place}/run", *NEW, names="{place}/run"),
        "no dataset.json in it",
    ),
    "cut to more than there are": (
        to_dataset("subset", "{place}/dataset", *NEW, "--split", "train=21"),
        "has 20 such images in train",
    ),
    "cut to no number": (
        to_dataset("subset", "{place}/dataset", *NEW, "--split", "train=half", names="train=half"),
        "expected NAME=COUNT",
    ),
    "cut by a list that is not there": (
        to_dataset(
            "subset", "{place}/dataset", *NEW, "--images", "{place}/no.txt", names="{place}/no.txt"
        ),
        "no such file",
    ),
    "cut to a vocabulary without words": (
        to_dataset("subset", "{place}/dataset", *NEW, "--min-count", 999, names="999"),
        "lower --min-count",
    ),
    "exported over a file": (
        to_dataset(
            "export",
            "{place}/dataset",
            "--format",
            "jsonl",
            "--out",
            "{place}/captions.csv",
            names="{place}/captions.csv",
        ),
        "exists already",
    ),
    "exported to an unknown format": (
        to_dataset("export", "{place}/dataset", "--format", "xml", *NEW, names="xml"),
        "expected one of coco, jsonl, webdataset",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(place, capsys, case):
    make, message = REFUSED[case]
    command, fault = make(place)
    before = contents(place)
    assert main([str(argument) for argument in command]) == 2
    written = capsys.readouterr()
    (line,) = written.err.splitlines()
    assert line.startswith("limner: ")
    assert str(fault) in line
    assert message in line
    good = len(command) == 5 and command[0] == "caption"  # the good image has its caption
    assert written.out.startswith(f"{place / 'images' / GOOD}\t") is good
    assert len(written.out.splitlines()) == good
    assert contents(place) == before  # nothing lost, nothing left behind


REPORTED = {
    "an image that is not there": ("gone.jpg,A cat\n", "captions without images: 1: gone.jpg"),
    "a blank caption": (f"{GOOD}, \n", f"mine.csv, line 122: a blank caption for {GOOD}"),
    "a row cut short": (f"{GOOD}\n", "mine.csv, line 122: 1 columns, expected 2"),
    "a broken image": ("broken.jpg,A cat\n", "images/broken.jpg: not an image"),
}


@pytest.mark.parametrize("case", REPORTED)
def test_reported_and_passed_over(place, capsys, case):
    row, message = REPORTED[case]
    a_text(place / "images" / "broken.jpg")
    (place / "mine.csv").write_text((place / "captions.csv").read_text() + row)
    assert main([str(a) for a in prepare(place, place / "mine.csv")]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if message in line]
    assert line.startswith(("captions without", f"{place}"))
    splits = open_dataset(place / "new").splits
    names = {name for split in splits.values() for name in split.image_ids}
    assert names == {path.name for path in (place / "images").glob("shapes-*.jpg")}


# how an image is kept, and the plain RGB that is the same image
KINDS = {
    "CMYK": (lambda image: (image.convert("CMYK"), "a.tif", {}), lambda i: i.convert("CMYK")),
    "palette": (lambda image: (image.quantize(64), "a.gif", {}), lambda i: i.quantize(64)),
    "16 bits": (
        lambda i: (
            Image.fromarray(np.asarray(i.convert("L")).astype(np.uint16) * 257),
            "a.png",
            {},
        ),
        lambda i: i.convert("L"),
    ),
    "EXIF rotation": (
        lambda image: (image.transpose(Image.Transpose.ROTATE_90), "a.png", {"exif": rotated()}),
        lambda image: image,
    ),
    "50,000 pixels wide": (
        lambda image: (image.resize((50_000, 40)), "a.png", {}),
        lambda image: image.resize((50_000, 40)),
    ),
}


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    return exif


@pytest.mark.parametrize("kind", KINDS)
def test_images_that_are_fine(place, capsys, kind):
    store, same = KINDS[kind]
    original = Image.open(place / "images" / GOOD).convert("RGB")
    image, name, options = store(original)
    image.save(place / name, **options)
    same(original).convert("RGB").save(place / "plain.png")
    paths = [place / name, place / "plain.png"]
    assert main(["caption", "--json", "--model", str(place / "run"), *map(str, paths)]) == 0
    written = capsys.readouterr()
    assert written.err == ""
    odd, plain = (json.loads(line) for line in written.out.splitlines())
    assert odd["image"] == str(paths[0])
    assert odd["caption"] == plain["caption"]
    assert odd["score"] == pytest.approx(plain["score"], abs=2e-4)


FULL_DISK = """
import resource, signal, sys
from limner.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of a file are POSIX's")
@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("train dataset --out run --resume --epochs 3", "run/last.safetensors"),
        ("train dataset --out new --hidden-dim 64 --epochs 1", "new/best.safetensors"),
        ("evaluate run --split train --no-java --json scores.json", "scores.json"),
    ],
)
def test_a_full_disk(place, command, file):
    (place / "scores.json").write_text("what was there")
    (place / "run" / "best.safetensors").touch()
    before = contents(place)
    size = 20_000 if "train " in command[:6] else 1_000
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(size), *command.split()],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    *_, line = result.stderr.splitlines()
    assert line.startswith(f"limner: {file}: cannot be written (File too large)")
    assert result.stdout == ""
    after = contents(place)
    grown = {place / "run" / "history.jsonl", place / "run" / "config.toml"}
    assert {p: after[p] for p in before.keys() - grown} == {
        p: before[p] for p in before.keys() - grown
    }
    assert after[place / "run" / "history.jsonl"].startswith(before[place / "run/history.jsonl"])
    assert not [path for path in after if path.name.startswith(".")]
    assert main(["evaluate", str(place / "run"), "--data", str(place / "dataset")]) == 0


def test_debug_shows_the_traceback(place, capsys):
    command = ["info", str(place / "nowhere")]
    assert main(command) == 2
    without = capsys.readouterr().err
    for arguments in ([*command, "--debug"], ["--debug", *command]):
        assert main(arguments) == 2
        with_it = capsys.readouterr().err
        assert with_it.startswith("Traceback (most recent call last)")
        assert with_it.endswith(without)


def test_a_mistake_of_our_own_is_one_line_too(capsys, monkeypatch):
    def fail(path):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("limner.cli.using.describe", fail)
    assert main(["info"]) == 1
    assert capsys.readouterr().err == (
        "limner: ZeroDivisionError: division by zero "
        "(a bug in limner; --debug shows the traceback)\n"
    )
