"""Folders as people have them, and what they are taken for."""

import json
import unicodedata

import numpy as np
import pytest

from limner.data.formats import FORMATS, read_source
from written_sources import (
    CAPTIONS,
    FEATURES,
    FOLDERS,
    JPEG,
    beside,
    csv,
    csv_text,
    features_h5,
    features_npy,
    flickr,
    karpathy_json,
    tar,
    text,
    webdataset,
    write_images,
)


@pytest.mark.parametrize(
    ("format", "make"), [(format, make) for format, several in FOLDERS.items() for make in several]
)
@pytest.mark.parametrize("told", [False, True])
def test_folder_format_is_detected(tmp_path, format, make, told):
    make(tmp_path)
    source = read_source(tmp_path, format=format if told else None)
    assert source.format == format
    assert {_nfc(name): texts for name, texts in source.captions.items()} == CAPTIONS
    assert sorted(source.captions) == sorted(source.image_files)
    for name, image_file in source.image_files.items():
        found = image_file.open().read() if format == "webdataset" else image_file.read_bytes()
        assert found == JPEG
        if format != "webdataset":
            assert image_file == source.root / name
    assert source.splits == {}
    assert source.problems == []
    assert source.title
    assert all(file.exists() for file in source.files)
    assert bool(source.files)


def _nfc(name):
    return unicodedata.normalize("NFC", name)


def test_every_format_has_a_folder_here_but_features():
    assert {*FOLDERS, "features"} == set(FORMATS)


def test_images_and_a_table_elsewhere_keep_their_names(tmp_path):
    write_images(tmp_path / "in" / "deep", ["x.jpg"])
    table = text(tmp_path / "captions.csv", "image,caption\ndeep/x.jpg,A dog\ngone.jpg,A cat\n")
    for source in (
        read_source(tmp_path / "in", captions=table),
        read_source(table, images=tmp_path / "in"),
    ):
        assert source.captions == {"deep/x.jpg": ["A dog"], "gone.jpg": ["A cat"]}
        assert source.image_files == {"deep/x.jpg": tmp_path / "in" / "deep" / "x.jpg"}
        assert source.root == tmp_path / "in"


SPLITS = {"train": ["a 1.jpg"], "val": ["b #2.jpg"], "test": ["été.jpg"]}


def split_column(folder):
    write_images(folder)
    names = {"train": "train", "val": "validation", "test": "TEST"}
    content = [
        {"image": name, "captions": CAPTIONS[name], "split": names[split]}
        for split, (name,) in SPLITS.items()
    ]
    text(folder / "captions.json", json.dumps(content))


def split_files_beside(folder):
    flickr(folder)
    for split, (name,) in SPLITS.items():
        text(folder / f"Flickr_8k.{split}Images.txt", f"{name}\r\n")


def split_tables(folder):
    write_images(folder)
    for split, (name,) in SPLITS.items():
        lines = [json.dumps({"image": name, "caption": c}) for c in CAPTIONS[name]]
        text(folder / f"captions_{split}.jsonl", "\n".join(lines))


def karpathy_splits(folder):
    write_images(folder)
    names = {"a 1.jpg": "restval", "b #2.jpg": "val", "été.jpg": "test"}
    text(folder / "dataset.json", karpathy_json(names))


@pytest.mark.parametrize("make", [split_column, split_files_beside, split_tables, karpathy_splits])
def test_splits_of_the_source(tmp_path, make):
    make(tmp_path)
    source = read_source(tmp_path)
    assert source.splits == SPLITS
    assert source.captions == CAPTIONS


IN_FOLDERS = {"train": ["train/1.jpg"], "val": ["val/1.jpg"]}


def coco_of_two_years(folder):
    for split in ("train", "val"):
        content = {
            "images": [{"id": 3, "file_name": "1.jpg"}],
            "annotations": [{"image_id": 3, "caption": f"for {split}"}],
        }
        text(folder / "annotations" / f"captions_{split}.json", json.dumps(content))
        write_images(folder / "pics" / split, ["1.jpg"])


def imagefolder_with_splits(folder):
    for split in ("train", "val"):
        write_images(folder / split, ["1.jpg"])
        text(folder / split / "metadata.csv", f"file_name,text\n1.jpg,for {split}\n")


def shards_with_splits(folder):
    for split in ("train", "val"):
        tar(folder / f"{split}.tar", {"1.jpg": JPEG, "1.txt": f"for {split}".encode()})


@pytest.mark.parametrize("make", [coco_of_two_years, imagefolder_with_splits, shards_with_splits])
def test_the_same_name_in_two_splits_is_two_images(tmp_path, make):
    make(tmp_path)
    source = read_source(tmp_path)
    assert source.splits == IN_FOLDERS
    assert source.captions == {"train/1.jpg": ["for train"], "val/1.jpg": ["for val"]}


def test_splits_that_are_named_come_before_the_source_s(tmp_path):
    split_column(tmp_path)
    files = {
        "train": text(tmp_path / "mine.txt", "b #2\nété.jpg\n"),
        "dev": text(tmp_path / "other.txt", "images/a 1.jpg\n"),
    }
    source = read_source(tmp_path, captions=tmp_path / "captions.json", split_files=files)
    assert source.splits == {"train": ["b #2.jpg", "été.jpg"], "dev": ["a 1.jpg"]}


def test_coco_s_numbers_find_files_with_zeros(tmp_path):
    write_images(tmp_path, ["COCO_val2014_000000000042.jpg", "000000000043.jpg"])
    table = text(tmp_path / "t.csv", "image_id,caption\n42,A dog\n43,A cat\n")
    assert read_source(table).captions == {
        "COCO_val2014_000000000042.jpg": ["A dog"],
        "000000000043.jpg": ["A cat"],
    }


def test_repeated_rows_are_reported_once(tmp_path):
    write_images(tmp_path, ["a.jpg", "b.jpg"])
    lines = "a.jpg,A dog\nA.jpg,A dog\nb.jpg,A cat\nb.jpg,A cat\nb.jpg,A cat\n"
    source = read_source(text(tmp_path / "t.csv", f"image,caption\n{lines}"))
    assert source.captions == {"a.jpg": ["A dog"], "b.jpg": ["A cat"]}
    (problem,) = source.problems
    assert problem.endswith("t.csv: 3 captions stand there twice, taken once (a.jpg: A dog)")


def test_a_thousand_blank_captions_are_a_handful_of_lines(tmp_path):
    write_images(tmp_path, ["a.jpg"])
    lines = "a.jpg,A dog\n" + "a.jpg,\n" * 1000
    source = read_source(text(tmp_path / "t.csv", f"image,caption\n{lines}"))
    assert len(source.problems) == 6
    assert source.problems[0].endswith("t.csv, line 3: a blank caption for a.jpg")
    assert source.problems[5].startswith("and 995 more blank captions")


def test_a_name_that_could_be_two_images_is_not_guessed(tmp_path):
    write_images(tmp_path, ["x/a.jpg", "y/a.jpg", "b.jpg"])
    source = read_source(text(tmp_path / "t.csv", "image,caption\na.jpg,A dog\nb.jpg,A cat\n"))
    assert source.captions == {"a.jpg": ["A dog"], "b.jpg": ["A cat"]}
    assert source.problems == [
        f"{tmp_path}/t.csv: a.jpg could be x/a.jpg or y/a.jpg; write the folder too"
    ]


def test_a_folder_that_fits_two_formats_says_so(tmp_path):
    beside(tmp_path)
    text(tmp_path / "captions.csv", csv_text())
    source = read_source(tmp_path)
    assert source.format == "table"
    assert "`format` text" in source.problems[0]
    assert read_source(tmp_path, format="text").format == "text"


def test_shards_by_a_pattern(tmp_path):
    for number in range(3):
        tar(tmp_path / f"train-00{number}.tar", {f"{number}.jpg": JPEG, f"{number}.txt": b"A dog"})
    for pattern, names in (
        ("train-{000..001}.tar", "01"),
        ("*.tar", "012"),
        ("train-00{0,2}.tar", "02"),
    ):
        source = read_source(tmp_path / pattern)
        assert list(source.captions) == [f"{number}.jpg" for number in names]
        assert source.format == "webdataset"


def test_a_truncated_shard_gives_its_whole_images(tmp_path):
    webdataset(tmp_path)
    path = tmp_path / "0000.tar"
    path.write_bytes(path.read_bytes()[:3600])
    source = read_source(path)
    assert source.captions == {"a 1.jpg": CAPTIONS["a 1.jpg"]}
    assert source.image_files["a 1.jpg"].open().read() == JPEG
    assert "0000.tar is damaged or cut short" in source.problems[0]


@pytest.mark.parametrize("make", [features_h5, features_npy])
@pytest.mark.parametrize("by", ["folder", "file", "captions"])
def test_features_in_the_place_of_images(tmp_path, make, by):
    path = make(tmp_path)
    captions = tmp_path / "captions.csv" if by == "captions" else None
    source = read_source(tmp_path if by == "folder" else path, captions=captions)
    assert source.format == "features"
    assert isinstance(source.features, np.memmap)
    np.testing.assert_array_equal(source.features, FEATURES)
    assert source.feature_ids == tuple(CAPTIONS)
    assert source.captions == CAPTIONS
    assert source.image_files == {}


def test_split_file_without_image_names_is_reported(tmp_path):
    csv(tmp_path)
    text(tmp_path / "train.txt", "how I trained it\nthen and there\n")
    source = read_source(tmp_path)
    assert source.splits == {}
    assert source.problems == [
        f"{tmp_path / 'train.txt'}: no split, few of its lines name an image"
    ]


def test_captions_that_are_used_with_features_are_not_another_format(tmp_path):
    features_h5(tmp_path)
    assert read_source(tmp_path).problems == []


def test_a_link_to_nowhere_is_passed_over(tmp_path):
    csv(tmp_path)
    (tmp_path / "other.csv").symlink_to(tmp_path / "gone.csv")
    assert read_source(tmp_path).captions == CAPTIONS
