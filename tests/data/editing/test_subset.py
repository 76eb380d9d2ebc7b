import json
from pathlib import Path

import numpy as np
import pytest

from limner.data.editing.selection import open_captioned, same_tokens
from limner.data.editing.subset import SubsetConfig, subset
from limner.data.opening import open_dataset
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import prepare
from limner.data.tokens import TokenConfig
from limner.errors import InputError
from limner.vocabulary import UNK, tokenize

FIVE = SubsetConfig(split={"train": 5})


@pytest.fixture(scope="module")
def rich(drawn, tmp_path_factory):
    """Both kinds of features, a view, components."""
    out = tmp_path_factory.mktemp("rich") / "dataset"
    table = drawn / "captions.csv"
    job = PrepareConfig(
        source=drawn / "images",
        out=out,
        captions=table,
        min_count=2,
        features="both",
        size=64,
        views=1,
        pca=5,
    )
    return prepare(job, lambda line: None)


def rows_by_id(splits):
    return {
        image: [array[row] for array in (split.features, *split.views)]
        for split in splits.values()
        for row, image in enumerate(split.image_ids)
    }


def test_features_grid_and_views_go_with_their_images(rich, tmp_path):
    cut = subset(
        rich, tmp_path / "cut", same_tokens(rich), SubsetConfig(split={"train": 6, "dev": 1})
    )
    assert {name: len(split.image_ids) for name, split in cut.splits.items()} == {
        "train": 6,
        "dev": 1,
        "test": len(rich.splits["test"].image_ids),
    }
    for whole, part in ((rich.splits, cut.splits), (rich.others, cut.others)):
        assert len(part["train"].views) == 1
        before, after = rows_by_id(whole), rows_by_id(part)
        for image, arrays in after.items():
            for array, expected in zip(arrays, before[image], strict=True):
                np.testing.assert_array_equal(array, expected)
    assert cut.projection.sha256 == rich.projection.sha256
    assert cut.info.backbone == rich.info.backbone
    order = [rich.splits["train"].image_ids.index(image) for image in cut.splits["train"].image_ids]
    assert order == sorted(order)


def test_subset_rebuilds_the_vocabulary(tiny_dataset, tmp_path):
    data = open_captioned(tiny_dataset)
    cut = subset(data, tmp_path / "cut", TokenConfig(min_count=3, max_words=8), FIVE)
    texts = [text for several in cut.references["train"].values() for text in several]
    words = [word for text in texts for word in tokenize(text)]
    assert set(cut.vocabulary.idx_to_word[4:]) == {w for w in words if words.count(w) >= 3}
    assert cut.splits["train"].captions.shape[1] == 10
    for row, text in zip(cut.splits["train"].captions, texts, strict=True):
        known = cut.vocabulary.word_to_idx
        expected = [word if word in known else UNK for word in tokenize(text)[:8]]
        assert cut.vocabulary.decode(row) == " ".join(expected)
    for name, images in cut.references.items():
        assert images == {image: data.references[name][image] for image in images}


def test_the_seed_decides(tiny_dataset, tmp_path):
    data = open_captioned(tiny_dataset)
    drawn = [
        subset(
            data,
            tmp_path / f"{number}",
            same_tokens(data),
            SubsetConfig(split={"train": 9}, seed=seed),
        )
        for number, seed in enumerate((0, 0, 1))
    ]
    ids = [one.splits["train"].image_ids for one in drawn]
    assert ids[0] == ids[1] != ids[2]
    assert drawn[0].fingerprint == drawn[1].fingerprint != drawn[2].fingerprint
    assert drawn[0].fingerprint != data.fingerprint


def test_a_list_of_images(tiny_dataset, tmp_path):
    data = open_captioned(tiny_dataset)
    train, dev = data.splits["train"].image_ids, data.splits["dev"].image_ids
    reports = []
    wanted = [train[7], "nowhere.jpg", dev[0], train[2]]
    (tmp_path / "list.txt").write_text("\n".join(wanted))
    config = SubsetConfig(images=tmp_path / "list.txt")
    cut = subset(data, tmp_path / "cut", TokenConfig(min_count=1), config, reports.append)
    assert cut.splits["train"].image_ids == (train[2], train[7])
    assert cut.splits["dev"].image_ids == (dev[0],)
    assert "test" not in cut.splits
    assert reports == [f"not in {tiny_dataset}: 1: nowhere.jpg"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"split": {"train": 21}}, "`split` train=21: .* has 20 such images in train"),
        ({"split": {"train": 0}}, "no image to train on would be left"),
        ({"split": {"fold": 1}}, "no split fold; it has train, dev, test"),
        ({"images": Path("list.txt")}, "no image to train on would be left"),
    ],
)
def test_subset_refuses_invalid_options(tiny_dataset, tmp_path, monkeypatch, how, message):
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text("nowhere.jpg")
    data = open_captioned(tiny_dataset)
    with pytest.raises(InputError, match=message):
        subset(data, tmp_path / "cut", same_tokens(data), SubsetConfig(**how), lambda line: None)
    assert not (tmp_path / "cut").exists()


def test_another_dataset_is_not_overwritten(tiny_dataset, tmp_path):
    data = open_captioned(tiny_dataset)
    first = subset(data, tmp_path / "cut", same_tokens(data), FIVE)
    with pytest.raises(InputError, match="contains a dataset already"):
        subset(data, tmp_path / "cut", same_tokens(data), FIVE)
    kept = json.loads((tmp_path / "cut" / "dataset.json").read_text())
    assert kept["fingerprint"] == first.fingerprint == open_dataset(first.path).fingerprint


def test_seed_without_split_is_refused():
    with pytest.raises(ValueError, match="`seed` has no effect with `split` unset"):
        SubsetConfig(seed=1)
