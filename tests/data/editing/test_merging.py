import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps

from limner.data.editing.merging import merge
from limner.data.editing.selection import open_captioned, same_tokens
from limner.data.editing.subset import SubsetConfig, subset
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import prepare
from limner.data.preparing.scan import open_image
from limner.data.tokens import TokenConfig
from limner.errors import InputError

NAMES = [f"shapes-{number:06d}.jpg" for number in range(24)]
SAME, OTHER, COPIED = NAMES[:3], NAMES[3:6], NAMES[6:9]


@pytest.fixture(scope="module")
def first(tiny_dataset):
    return open_captioned(tiny_dataset)


@pytest.fixture(scope="module")
def second(first, drawn, tmp_path_factory):
    """Three images of `first`, three others of names that it has, three of its under new names.

    All stand in train; of the copies one was in another split.
    """
    folder = tmp_path_factory.mktemp("second")
    (folder / "images").mkdir()
    rows = [["image", "caption", "split"]]
    for name in (*SAME, *OTHER, *copied(first)):
        image_file = drawn / "images" / name
        new = name if name in (*SAME, *OTHER) else f"copy-{name}"
        if name in OTHER:
            ImageOps.mirror(Image.open(image_file)).save(folder / "images" / new)
        else:
            shutil.copy(image_file, folder / "images" / new)
        rows += [[new, f"Again {name}", "train"], [new, caption_of(first, name), "train"]]
    with (folder / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    out = folder / "second"
    job = PrepareConfig(
        source=folder / "images",
        out=out,
        captions=folder / "captions.csv",
        min_count=1,
        split={"train": listed(folder, rows)},
    )
    return prepare(job, lambda line: None)


def listed(folder, rows):
    path = folder / "train.txt"
    path.write_text("\n".join(sorted({name for name, *_ in rows[1:]})))
    return path


def copied(data):
    """Two training images and one of dev, none of them among the others."""
    taken = {*SAME, *OTHER}
    train = [i for i in data.splits["train"].image_ids if i not in taken]
    dev = [i for i in data.splits["dev"].image_ids if i not in taken]
    return [*train[:2], dev[0]]


def caption_of(data, image):
    return next(images[image][0] for images in data.references.values() if image in images)


@pytest.fixture(scope="module")
def merged(first, second, tmp_path_factory):
    reports = []
    out = tmp_path_factory.mktemp("merged") / "both"
    return merge([first, second], out, same_tokens(first), reports.append), reports


def split_of(data, image):
    return next(name for name, split in data.splits.items() if image in split.image_ids)


def features_of(data, image):
    split = data.splits[split_of(data, image)]
    return split.features[split.image_ids.index(image)]


def test_the_same_image_has_the_captions_of_both_once(merged, first):
    data, reports = merged
    for image in SAME:
        split = split_of(first, image)
        assert data.references[split][image] == [*first.references[split][image], f"Again {image}"]
        assert all(image not in images for s, images in data.references.items() if s != split)
    assert reports[0] == f"the same image in both, captions united: 3: {', '.join(SAME)}"


def test_another_image_of_a_name_is_renamed(merged, first, second):
    data, reports = merged
    for image in OTHER:
        assert data.references["train"][f"second/{image}"][0] == f"Again {image}"
        np.testing.assert_array_equal(
            features_of(data, f"second/{image}"), features_of(second, image)
        )
        np.testing.assert_array_equal(features_of(data, image), features_of(first, image))
    assert f"renamed: 3: second/{OTHER[0]}" in "\n".join(reports)


def test_a_leak_is_named(merged, first):
    _, reports = merged
    train_a, train_b, dev = copied(first)
    text = "\n".join(reports)
    assert f"it, too): 1: {dev} (dev) = copy-{dev} (train)" in text
    for image in (train_a, train_b):
        assert f"{image} = copy-{image}" in text


def test_every_row_is_there_and_every_image_found(merged, first, second):
    data, _ = merged
    before = sum(len(split.image_ids) for split in first.splits.values())
    assert sum(len(split.image_ids) for split in data.splits.values()) == before + 6
    for split in data.splits.values():
        for image in split.image_ids:
            open_image(data.image_file(image), size_hint=64)
    assert data.image_file(f"second/{OTHER[0]}") == second.image_file(OTHER[0])
    assert data.image_file(OTHER[0]) == first.image_file(OTHER[0])
    for split in first.splits:
        assert data.splits[split].sha256s[:3] == first.splits[split].sha256s[:3] != ("",) * 3
    assert data.info.min_count == first.info.min_count
    assert "again" in data.vocabulary.word_to_idx


def subset_of(data, out, images):
    names = out.with_name(f"{out.name}.txt")
    names.write_text("\n".join(images))
    return subset(data, out, TokenConfig(min_count=1), SubsetConfig(images=names), print)


def test_subset_of_a_merged_dataset(merged, second, tmp_path):
    data, _ = merged
    wanted = [f"second/{OTHER[1]}", NAMES[20]]
    cut = subset_of(data, tmp_path / "cut", wanted)
    assert cut.image_file(wanted[0]) == second.image_file(OTHER[1])


def test_merged_again_nothing_is_new(merged, second, tmp_path):
    data, _ = merged
    again = merge([data, data], tmp_path / "again", same_tokens(data), lambda line: None)
    assert again.references == data.references
    third = merge([second, data], tmp_path / "third", TokenConfig(min_count=1), lambda line: None)
    named = f"both/{OTHER[0]}"
    assert third.image_file(named) == data.image_file(OTHER[0])
    assert third.image_file(OTHER[0]) == second.image_file(OTHER[0])


@pytest.mark.parametrize(
    "change",
    [{"pca": 4}, {"views": 1}, {"features": "both"}, {"size": 64}, {"dtype": "float16"}],
    ids=lambda change: next(iter(change)),
)
def test_other_features_are_refused(first, drawn, tmp_path, change):
    job = PrepareConfig(
        source=drawn / "images",
        out=tmp_path / "other",
        captions=drawn / "captions.csv",
        min_count=2,
        **change,
    )
    other = prepare(job, lambda line: None)
    with pytest.raises(InputError) as caught:
        merge([first, other], tmp_path / "out", TokenConfig(min_count=2))
    line = str(caught.value)
    assert line.startswith(f"{other.path}: ")
    assert f"and {first.path} has 1280 numbers as float32 of efficientnet_lite0" in line
    assert "\n" not in line
    assert not (tmp_path / "out").exists()


def test_merge_identifies_images_of_limner_0_1_by_features(first, second, merged, tmp_path):
    """They do not know what their images hold."""
    old = shutil.copytree(first.path, tmp_path / "old")
    info = json.loads((old / "dataset.json").read_text())
    for split in first.splits:
        (old / f"{split}_sha256.txt").unlink()
        del info["files"][f"{split}_sha256.txt"]
    (old / "dataset.json").write_text(json.dumps(info))
    data = merge([open_captioned(old), second], tmp_path / "both", same_tokens(first))
    assert data.references == merged[0].references
    known = dict(zip(data.splits["train"].image_ids, data.splits["train"].sha256s, strict=True))
    assert (
        known[f"second/{OTHER[0]}"]
        == second.splits["train"].sha256s[second.splits["train"].image_ids.index(OTHER[0])]
    )
    assert known[first.splits["train"].image_ids[0]] == ""


def test_halves_with_components_and_views_become_one_again(drawn, tmp_path):
    job = PrepareConfig(
        source=drawn / "images",
        out=tmp_path / "whole",
        captions=drawn / "captions.csv",
        min_count=2,
        features="both",
        size=64,
        views=1,
        pca=5,
    )
    whole = prepare(job, lambda line: None)
    train = whole.splits["train"].image_ids
    parts = [
        subset_of(whole, tmp_path / f"{n}", some) for n, some in enumerate((train[:8], train[8:]))
    ]
    joined = merge(parts, tmp_path / "joined", TokenConfig(min_count=2), lambda line: None)
    assert joined.splits["train"].image_ids == train
    for before, after in ((whole.splits, joined.splits), (whole.others, joined.others)):
        np.testing.assert_array_equal(after["train"].features, before["train"].features)
        np.testing.assert_array_equal(after["train"].views[0], before["train"].views[0])
    np.testing.assert_array_equal(joined.splits["train"].captions, whole.splits["train"].captions)
    assert joined.projection.sha256 == whole.projection.sha256
    assert joined.info.source == whole.info.source
