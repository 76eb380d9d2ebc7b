"""What a look finds: counted by hand in a folder that was made to have everything."""

import shutil

import numpy as np
import pytest
from PIL import Image

from limner.data.formats import read_source
from limner.data.preparing.check import find, summary
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import check_source

CAPTIONS = {
    "a.jpg": ["a dog runs", "a dog and a cat"],
    "b.jpg": ["a dog"],
    "same as a.jpg": ["the dog runs fast"],
    "c.jpg": ["a bird"],
    "twice c.jpg": ["a bird flies"],
    "broken.jpg": ["a ghost"],
    "gone.jpg": ["nothing"],
}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a", "b", "c", "alone"):
        noise = rng.integers(0, 255, (40, 40, 3), np.uint8)
        Image.fromarray(noise).save(images / f"{name}.jpg")
    shutil.copy(images / "a.jpg", images / "same as a.jpg")
    shutil.copy(images / "c.jpg", images / "twice c.jpg")
    (images / "broken.jpg").write_bytes((images / "a.jpg").read_bytes()[:300])
    lines = [f'"{name}","{text}"\n' for name, texts in CAPTIONS.items() for text in texts]
    (tmp_path / "captions.csv").write_text("image,caption\n" + "".join(lines))
    (tmp_path / "train.txt").write_text("a.jpg\nb.jpg\nc.jpg\ntwice c.jpg\nbroken.jpg\ngone.jpg\n")
    (tmp_path / "dev.txt").write_text("same as a.jpg\nalone.jpg\n")
    return tmp_path


@pytest.fixture
def findings(folder):
    split_files = {split: folder / f"{split}.txt" for split in ("train", "dev")}
    return check_source(
        PrepareConfig(source=folder, out=folder / "out", split=split_files), lambda line: None
    )


def test_images_and_captions(findings, folder):
    assert findings.splits == {
        "train": ["a.jpg", "b.jpg", "c.jpg", "twice c.jpg"],
        "dev": ["same as a.jpg"],
    }
    assert findings.counts == {
        "train": {"images": 4, "captions": 5},
        "dev": {"images": 1, "captions": 1},
    }
    assert findings.without_captions == ["alone.jpg"]
    assert findings.without_images == ["gone.jpg"]
    assert list(findings.unreadable) == ["broken.jpg"]
    assert findings.unreadable["broken.jpg"].startswith(
        f"{folder / 'images' / 'broken.jpg'}: the i"
    )


def test_same_images(findings):
    report = findings.to_json()
    assert report["same_image_across_splits"] == [{"train": ["a.jpg"], "dev": ["same as a.jpg"]}]
    assert report["same_image_within_a_split"] == [["c.jpg", "twice c.jpg"]]


def test_words(findings):
    """In train: a 5, dog 3, bird 2, and runs, and, cat, flies once each; dev: the dog runs fast."""
    assert findings.lengths == {3: 2, 5: 1, 2: 2, 4: 1}
    first, second, third, *_ = findings.vocabulary
    assert (first.min_count, first.words, first.unknown) == (1, 7, 0)
    assert first.unknown_elsewhere == 2 / 4
    assert (second.words, second.unknown, second.unknown_elsewhere) == (3, 4 / 15, 3 / 4)
    assert (third.min_count, third.words, third.unknown) == (3, 2, 6 / 15)


def test_lines_for_people(findings, folder):
    lines = summary(findings)
    assert lines[:2] == ["train: 4 images, 5 captions", "dev: 1 images, 1 captions"]
    told = "\n".join(lines)
    for part in (
        "images without captions: 1: alone.jpg",
        "captions without images: 1: gone.jpg",
        f"{folder / 'images' / 'broken.jpg'}: the image is truncated",
        "a.jpg (train) = same as a.jpg (dev)",
        "c.jpg = twice c.jpg",
    ):
        assert part in told


def test_long_lists_end_with_the_number_of_the_others(folder):
    names = [f"no {number:03}.jpg" for number in range(300)]
    with (folder / "captions.csv").open("a") as file:
        file.writelines(f"{name},a dog\n" for name in names)
    source = read_source(folder)
    found = find(source, {"train": ["a.jpg", *names]}, lambda *_: None)
    (line,) = [line for line in summary(found) if line.startswith("captions without images")]
    assert line.startswith("captions without images: 301: no 000.jpg, no 001.jpg")
    assert len(line) < 300
    assert len(found.to_json()["captions_without_images"]) == 301


def test_captions_in_other_scripts(folder):
    (folder / "captions.csv").write_text("image,caption\na.jpg,一只狗在跑\nb.jpg,a dog\n")
    found = find(read_source(folder), {"train": ["a.jpg", "b.jpg"]}, lambda *_: None)
    assert [one.script for one in found.mangled] == ["Chinese or Japanese"]
    assert (
        "1 captions in Chinese or Japanese: a whole sentence becomes one word" in summary(found)[-1]
    )


def test_images_in_no_split_and_captions_without_words(folder):
    (folder / "captions.csv").write_text(
        "image,caption,split\na.jpg,a dog,train\nb.jpg,!!!,train\nc.jpg,a cat,\nalone.jpg,x,dev\n"
    )
    found = check_source(PrepareConfig(source=folder, out=folder / "out"), lambda line: None)
    assert found.unsplit == ["c.jpg"]
    assert found.wordless == ["b.jpg"]
    told = summary(found)
    assert "images that are in no split, and left out: 1: c.jpg" in told
    assert "images with captions in which no word is found: 1: b.jpg" in told
