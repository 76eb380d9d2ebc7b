"""The course's data: from its own files, and from a dataset of limner's."""

import json
import shutil

import h5py
import numpy as np
import pytest

from limner.cli import main
from limner.data.coco import load_coco_data, sample_coco_minibatch
from limner.data.opening import open_dataset
from limner.errors import InputError
from limner.vocabulary import decode_captions

# In the order in which the course's notebook prints them.
KEYS = [
    "train_captions",
    "train_image_idxs",
    "val_captions",
    "val_image_idxs",
    "train_features",
    "val_features",
    "idx_to_word",
    "word_to_idx",
    "train_urls",
    "val_urls",
]
WORDS = ["<NULL>", "<START>", "<END>", "<UNK>", "a", "dog", "cat", "sleeps", "runs"]
IMAGES = {"train": 7, "val": 4}
CAPTIONS = {"train": 20, "val": 9}
FILES = [
    "coco2014_captions.h5",
    "coco2014_vocab.json",
    *(f"{split}2014_vgg16_fc7{pca}.h5" for split in IMAGES for pca in ("", "_pca")),
    *(f"{split}2014_urls.txt" for split in IMAGES),
]


def course_arrays():
    """What the course's files hold, by key; features by (split, suffix)."""
    rng = np.random.default_rng(0)
    arrays, features = {}, {}
    for split, images in IMAGES.items():
        M = CAPTIONS[split]
        words = rng.integers(4, len(WORDS), (M, 3))
        ends = np.tile([2, 0, 0], (M, 1))
        arrays[f"{split}_captions"] = np.hstack([np.ones((M, 1), int), words, ends]).astype("i4")
        arrays[f"{split}_image_idxs"] = rng.integers(images, size=M).astype("i4")
        for suffix, D in {"": 12, "_pca": 5}.items():
            features[split, suffix] = rng.standard_normal((images, D)).astype("f4")
    return arrays, features


@pytest.fixture
def course(tmp_path):
    """The course's folder, where the course's script puts it."""
    folder = tmp_path / "cs682" / "datasets" / "coco_captioning"
    folder.mkdir(parents=True)
    arrays, features = course_arrays()
    with h5py.File(folder / "coco2014_captions.h5", "w") as file:
        for key, array in arrays.items():
            file[key] = array
    for (split, suffix), array in features.items():
        with h5py.File(folder / f"{split}2014_vgg16_fc7{suffix}.h5", "w") as file:
            file["features"] = array
    vocabulary = {"idx_to_word": WORDS, "word_to_idx": {w: i for i, w in enumerate(WORDS)}}
    (folder / "coco2014_vocab.json").write_text(json.dumps(vocabulary))
    for split, images in IMAGES.items():
        lines = (f"http://flickr.test/{split}/{i}.jpg\n" for i in range(images))
        (folder / f"{split}2014_urls.txt").write_text("".join(lines))
    return folder


def test_the_course_files_come_out_as_the_course_gives_them(course):
    arrays, features = course_arrays()
    data = load_coco_data(course)
    assert list(data) == KEYS
    for key, array in arrays.items():
        assert data[key].dtype == np.int32
        np.testing.assert_array_equal(data[key], array)
    for split, images in IMAGES.items():
        assert type(data[f"{split}_features"]) is np.ndarray
        assert data[f"{split}_features"].dtype == np.float32
        np.testing.assert_array_equal(data[f"{split}_features"], features[split, "_pca"])
        assert type(data[f"{split}_urls"]) is np.ndarray
        assert data[f"{split}_urls"].dtype.kind == "U"
        assert data[f"{split}_urls"].tolist() == [
            f"http://flickr.test/{split}/{i}.jpg" for i in range(images)
        ]
    assert data["idx_to_word"] == WORDS
    assert data["word_to_idx"] == {word: index for index, word in enumerate(WORDS)}
    assert type(data["word_to_idx"]) is dict


def test_the_original_features(course):
    _, features = course_arrays()
    for name in ("train2014_vgg16_fc7_pca.h5", "val2014_vgg16_fc7_pca.h5"):
        (course / name).unlink()
    data = load_coco_data(str(course), pca_features=False)
    np.testing.assert_array_equal(data["train_features"], features["train", ""])
    np.testing.assert_array_equal(data["val_features"], features["val", ""])


def test_max_train_samples_with_replacement(course):
    arrays, features = course_arrays()
    np.random.seed(231)
    data = load_coco_data(course, max_train=50)
    np.random.seed(231)
    rows = np.random.randint(CAPTIONS["train"], size=50)
    assert len(set(rows.tolist())) < 50  # more than there are: some come twice
    np.testing.assert_array_equal(data["train_captions"], arrays["train_captions"][rows])
    np.testing.assert_array_equal(data["train_image_idxs"], arrays["train_image_idxs"][rows])
    np.testing.assert_array_equal(data["val_captions"], arrays["val_captions"])
    np.testing.assert_array_equal(data["train_features"], features["train", "_pca"])


@pytest.mark.parametrize("split", ["train", "val"])
def test_minibatch(course, split):
    arrays, features = course_arrays()
    data = load_coco_data(course)
    np.random.seed(3)
    captions, batch, urls = sample_coco_minibatch(data, batch_size=30, split=split)
    np.random.seed(3)
    rows = np.random.choice(CAPTIONS[split], 30)
    images = arrays[f"{split}_image_idxs"][rows]
    np.testing.assert_array_equal(captions, arrays[f"{split}_captions"][rows])
    np.testing.assert_array_equal(batch, features[split, "_pca"][images])
    assert urls.tolist() == [f"http://flickr.test/{split}/{i}.jpg" for i in images]
    assert len(sample_coco_minibatch(data)[0]) == 100
    strings = decode_captions(captions, data["idx_to_word"])
    assert len(strings) == 30
    assert all(s.startswith("<START> ") and s.endswith(" <END>") for s in strings)


@pytest.mark.parametrize("missing", [f for f in FILES if f[-7:] != "_fc7.h5"])
def test_a_missing_file_is_named_with_both_ways_to_get_going(course, missing):
    (course / missing).unlink()
    with pytest.raises(InputError) as error:
        load_coco_data(course)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{course}: {missing} missing.")
    assert "coco_captioning.zip" in message
    assert "`limner demo`" in message


def test_a_folder_that_is_not_there_misses_every_file(tmp_path):
    with pytest.raises(InputError, match=r"coco2014_captions.h5, .*val2014_urls.txt missing"):
        load_coco_data(tmp_path / "nowhere")


def test_no_data_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        load_coco_data()
    for hint in ("cs682/datasets/coco_captioning", "limner-demo/dataset", "`limner demo`", ".zip"):
        assert hint in str(error.value)


def test_found_from_a_folder_below(course, tmp_path, monkeypatch):
    below = tmp_path / "notebooks" / "mine"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_coco_data()["idx_to_word"] == WORDS


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-500])


def _write_words(path, words):
    path.write_text(json.dumps({"idx_to_word": words}))


@pytest.mark.parametrize(
    ("name", "damage", "complaint"),
    [
        ("coco2014_captions.h5", _truncate, "damaged or truncated"),
        ("train2014_vgg16_fc7_pca.h5", _truncate, "damaged or truncated"),
        ("coco2014_vocab.json", lambda path: path.write_text("{"), "expected JSON"),
        ("train2014_urls.txt", lambda path: path.write_text("one\n"), "1 URLs for 7 images"),
    ],
)
def test_a_damaged_file_is_named(course, name, damage, complaint):
    damage(course / name)
    with pytest.raises(InputError, match=complaint) as error:
        load_coco_data(course)
    assert str(error.value).startswith(f"{course / name}: ")
    assert "\n" not in str(error.value)


def test_the_vocabulary_of_another_dataset(course):
    _write_words(course / "coco2014_vocab.json", WORDS[:6])
    with pytest.raises(InputError, match=r"the vocabulary has 6 words: .* another dataset"):
        load_coco_data(course)


def test_captions_of_other_images(course):
    for name in ("train2014_vgg16_fc7_pca.h5", "train2014_urls.txt"):
        shutil.copy(course / name.replace("train", "val"), course / name)
    with pytest.raises(
        InputError, match="train_image_idxs has images from 0 to 6, but there are 4"
    ):
        load_coco_data(course)


def test_a_dataset_of_limners_opens_the_same_way(tiny_dataset, drawn, monkeypatch, tmp_path):
    dataset = open_dataset(tiny_dataset)
    demo = tmp_path / "limner-demo" / "dataset"
    demo.parent.mkdir()
    shutil.copytree(tiny_dataset, demo)
    monkeypatch.chdir(tmp_path)
    data = load_coco_data(pca_features=False)
    assert list(data) == KEYS
    assert data["idx_to_word"] == list(dataset.vocabulary.idx_to_word)
    for ours, theirs in {"train": "train", "dev": "val"}.items():
        split = dataset.splits[ours]
        np.testing.assert_array_equal(data[f"{theirs}_captions"], split.captions)
        np.testing.assert_array_equal(data[f"{theirs}_image_idxs"], split.image_idxs)
        np.testing.assert_array_equal(data[f"{theirs}_features"], split.features)
        assert type(data[f"{theirs}_features"]) is np.ndarray
        paths = [str(drawn / "images" / image) for image in split.image_ids]
        assert data[f"{theirs}_urls"].tolist() == paths


def test_reduced_features_are_the_principal_components(tiny_dataset):
    raw = load_coco_data(tiny_dataset, pca_features=False)
    reduced = load_coco_data(tiny_dataset)
    D = raw["train_features"].shape[1]
    assert D > 512
    mean = raw["train_features"].mean(axis=0)
    train, val = (raw[f"{split}_features"] - mean for split in ("train", "val"))
    for split, centred in {"train": train, "val": val}.items():
        features = reduced[f"{split}_features"]
        assert (features.shape, features.dtype) == ((len(centred), 512), np.float32)
        assert np.linalg.norm(features, axis=1).min() > 1
    # With fewer images than dimensions nothing is lost: distances between images stay ...
    np.testing.assert_allclose(
        reduced["train_features"] @ reduced["train_features"].T, train @ train.T, atol=1e-3
    )
    # ... the largest variance comes first, as large as the singular values say ...
    deviations = reduced["train_features"].std(axis=0) * np.sqrt(len(train))
    singular = np.linalg.svd(train.astype(np.float64), compute_uv=False)
    np.testing.assert_allclose(deviations[: len(train)], singular, rtol=1e-3, atol=0.02)
    # ... and val is seen through train's directions.
    np.testing.assert_allclose(
        reduced["val_features"] @ reduced["train_features"].T, val @ train.T, atol=1e-3
    )


def test_unfinished_dataset_is_refused_with_advice(tmp_path):
    (tmp_path / "partial").mkdir()
    with pytest.raises(InputError, match="preparation unfinished"):
        load_coco_data(tmp_path)


def test_it_is_described_and_shown_in_the_words_that_it_has(course, capsys):
    arrays, _ = course_arrays()
    assert main(["dataset", "info", str(course)]) == 0
    out = capsys.readouterr().out
    assert f"train: {IMAGES['train']} images, {CAPTIONS['train']} captions, " in out
    assert main(["dataset", "head", str(course), "--number", "99"]) == 0
    out = capsys.readouterr().out
    for row in arrays["train_captions"]:
        caption = " ".join(WORDS[i] for i in row[1:] if i > 2)
        assert f"  {caption}\n" in out.replace("[", "").replace("]", "")
    assert main(["dataset", "subset", str(course), "--out", str(course / "new")]) == 2
    assert "no raw captions" in capsys.readouterr().err
