"""Forty images of Flickr8k in every form: all of them give the same."""

import json
import shutil
import tarfile

import numpy as np
import pytest

from limner.data.formats import read_source


@pytest.fixture(scope="module")
def flickr(flickr8k):
    """All of it as it comes."""
    return read_source(flickr8k / "images", captions=flickr8k / "Flickr8k.token.txt")


@pytest.fixture(scope="module")
def forty(flickr):
    """{name: captions} of 40 images, {split: names}."""
    names = list(flickr.captions)[:40]
    splits = {"train": names[:30], "val": names[30:]}
    return {name: flickr.captions[name] for name in names}, splits


def test_the_whole_of_it(flickr, flickr8k):
    assert flickr.format == "flickr"
    assert len(flickr.image_files) == 7000
    assert {split: len(names) for split, names in flickr.splits.items()} == {
        "train": 6000,
        "dev": 1000,
    }
    assert all(len(texts) == 5 for texts in flickr.captions.values())  # 9 stand there twice
    inside = read_source(flickr8k)
    assert inside.captions == flickr.captions
    assert inside.image_files == flickr.image_files
    assert inside.splits == flickr.splits
    assert "`format` features" in inside.problems[0]


def test_its_features(flickr, flickr8k):
    source = read_source(flickr8k, format="features")
    assert source.features.shape == (7000, 1280)
    assert isinstance(source.features, np.memmap)
    assert set(source.feature_ids) == set(flickr.image_files)
    assert source.captions == flickr.captions
    assert source.splits == flickr.splits


def copy(flickr, names, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(flickr.image_files[name], folder / name)


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def table(folder, flickr, captions, splits):
    copy(flickr, captions, folder / "images")
    owner = {name: split for split, names in splits.items() for name in names}
    rows = [
        {"image": name, "captions": texts, "split": owner[name]} for name, texts in captions.items()
    ]
    dump(folder / "captions.json", rows)


def karpathy(folder, flickr, captions, splits):
    copy(flickr, captions, folder / "images")
    images = [
        {"filename": n, "split": split, "sentences": [{"raw": t} for t in captions[n]]}
        for split, names in splits.items()
        for n in names
    ]
    dump(folder / "dataset_flickr8k.json", {"images": images, "dataset": "flickr8k"})


def coco(folder, flickr, captions, splits):
    copy(flickr, captions, folder / "images")
    for split, names in splits.items():
        images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
        rows = [{"image_id": i, "caption": t} for i, n in enumerate(names) for t in captions[n]]
        dump(
            folder / "annotations" / f"captions_{split}2014.json",
            {"images": images, "annotations": rows},
        )


def imagefolder(folder, flickr, captions, splits):
    for split, names in splits.items():
        place = folder / {"val": "validation"}.get(split, split)
        copy(flickr, names, place)
        rows = [json.dumps({"file_name": n, "text": t}) for n in names for t in captions[n]]
        dump(place / "metadata.jsonl", "\n".join(rows))


def webdataset(folder, flickr, captions, splits):
    for split, names in splits.items():
        with tarfile.open(folder / f"{split}-0000.tar", "w") as tar:
            for name in names:
                dump(folder / "one.txt", "\n".join(captions[name]))
                tar.add(flickr.image_files[name], name)
                tar.add(folder / "one.txt", name.replace(".jpg", ".txt"))
    (folder / "one.txt").unlink()


@pytest.mark.parametrize("make", [table, karpathy, coco, imagefolder, webdataset])
def test_every_form_gives_the_same(tmp_path, flickr, forty, make):
    captions, splits = forty
    make(tmp_path, flickr, captions, splits)
    source = read_source(tmp_path)
    assert source.format == make.__name__
    assert source.problems == []

    def plain(name):
        return name.split("/")[-1]  # an imagefolder's names have their split before them

    assert {plain(name): texts for name, texts in source.captions.items()} == captions
    assert {s: sorted(map(plain, names)) for s, names in source.splits.items()} == {
        split: sorted(names) for split, names in splits.items()
    }
    assert {plain(name) for name in source.image_files} == set(captions)
    for name, image_file in source.image_files.items():
        content = image_file.open().read() if make is webdataset else image_file.read_bytes()
        assert content == flickr.image_files[plain(name)].read_bytes()
