"""Opening what `prepare` wrote, and every way in which it can be broken."""

import json
import shutil

import h5py
import numpy as np
import pytest

from limner.backbones.open_backbone import open_backbone
from limner.data.formats import read_captions
from limner.data.opening import open_dataset
from limner.errors import InputError
from limner.vocabulary import tokenize


@pytest.fixture(scope="session")
def backbone():
    return open_backbone()


@pytest.fixture
def folder(tiny_dataset, tmp_path):
    """A copy of the dataset, to break."""
    return shutil.copytree(tiny_dataset, tmp_path / "dataset")


def test_open_dataset_of_prepare(tiny_dataset, drawn, backbone):
    written = read_captions(drawn / "captions.csv").captions
    dataset = open_dataset(tiny_dataset)
    assert {name: len(split.image_ids) for name, split in dataset.splits.items()} == {
        "train": 20,
        "dev": 2,
        "test": 2,
    }
    assert sorted(i for s in dataset.splits.values() for i in s.image_ids) == sorted(written)
    known = set(dataset.vocabulary.idx_to_word)
    for name, split in dataset.splits.items():
        texts = [text for image in split.image_ids for text in written[image]]
        expected = [
            " ".join(word if word in known else "<UNK>" for word in tokenize(text)[:20])
            for text in texts
        ]
        assert [dataset.vocabulary.decode(row) for row in split.captions] == expected
        assert split.image_idxs.tolist() == [
            i for i in range(len(split.image_ids)) for _ in "12345"
        ]
        assert dataset.references[name] == {image: written[image] for image in split.image_ids}
        for image, row in zip(split.image_ids[:2], split.features, strict=False):
            assert dataset.image_file(image) == drawn / "images" / image
            expected_row = features_of(backbone, drawn / "images" / image)
            np.testing.assert_allclose(row, expected_row, atol=1e-4)
    assert dataset.input_dim == backbone.dim
    assert dataset.info.backbone == backbone.describe()
    assert dataset.fingerprint == dataset.info.fingerprint != dataset.vocabulary.sha256


def features_of(backbone, path):
    from limner.images.images import load_image

    return backbone.features(backbone.preprocess(load_image(path, size_hint=448))[None])[0]


def test_mapped_features_are_those_in_the_file(tiny_dataset):
    features = open_dataset(tiny_dataset).splits["train"].features
    with h5py.File(tiny_dataset / "train_features.h5") as file:
        expected = file["features"][()]
    assert isinstance(features, np.memmap)
    assert not features.flags.writeable
    assert expected.std() > 0.1
    np.testing.assert_array_equal(features, expected)


def rewrite(path, edit):
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))


def without_dataset_json(folder):
    (folder / "dataset.json").unlink()


def half_prepared(folder):
    (folder / "dataset.json").unlink()
    (folder / "partial").mkdir()


def put(key, values):
    """Replaces an array in captions.h5."""

    def put(folder):
        with h5py.File(folder / "captions.h5", "r+") as file:
            kept = file[key][()]
            del file[key]
            if values is not None:
                file[key] = values(kept)

    return put


def put_features(name, values):
    def put(folder):
        with h5py.File(folder / "dev_features.h5", "w") as file:
            file[name] = values

    return put


def cut(name, share):
    def cut(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return cut


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


def edited(name, edit):
    return lambda folder: rewrite(folder / name, edit)


def a_group(folder):
    with h5py.File(folder / "dev_features.h5", "w") as file:
        file.create_group("features")


def beyond(array):
    """Word ids or images that do not exist."""
    return np.where(np.arange(len(array)).reshape(-1, *[1] * (array.ndim - 1)) == 3, 9999, array)


# what was done, the file at fault ("" is the folder), what the message says
BROKEN = {
    "no folder": (shutil.rmtree, "", "no such folder; `limner prepare` makes"),
    "no dataset.json": (without_dataset_json, "", "no dataset.json in it; `limner prepare` makes"),
    "half-prepared": (
        half_prepared,
        "",
        "preparation unfinished; run the same `limner prepare` again",
    ),
    "another version": (
        edited("dataset.json", lambda info: {**info, "schema_version": 99}),
        "dataset.json",
        "schema version 99, and this limner reads version 1; prepare the dataset again",
    ),
    "damaged JSON": (cut("dataset.json", 0.5), "dataset.json", "damaged JSON (.*prepare"),
    "empty dataset.json": (text("dataset.json", ""), "dataset.json", "damaged JSON (.*prepare"),
    "a list": (text("dataset.json", "[]"), "dataset.json", "Expected `object`, got.*prepare"),
    "no splits": (
        edited("dataset.json", lambda info: {**info, "splits": None}),
        "dataset.json",
        "Expected `object`, got `null` - at `$.splits`; prepare",
    ),
    "no training images": (
        edited("dataset.json", lambda info: {**info, "splits": {"dev": info["splits"]["dev"]}}),
        "dataset.json",
        "no split `train`; prepare",
    ),
    "vocabulary of another dataset": (
        edited("vocab.json", lambda v: {"idx_to_word": [*v["idx_to_word"], "zebra"]}),
        "vocab.json",
        "belongs to another dataset; prepare",
    ),
    "no vocabulary": (lambda folder: (folder / "vocab.json").unlink(), "vocab.json", "missing; "),
    "vocabulary cut": (cut("vocab.json", 0.5), "vocab.json", "expected JSON.*prepare the dataset"),
    "captions missing": (
        lambda folder: (folder / "captions.h5").unlink(),
        "captions.h5",
        "missing; the dataset is incomplete, prepare it again",
    ),
    "captions truncated": (cut("captions.h5", 0.6), "captions.h5", "damaged or truncated.*prepare"),
    "captions cut to a few bytes": (cut("captions.h5", 0.001), "captions.h5", "damaged.*prepare"),
    "captions empty": (cut("captions.h5", 0), "captions.h5", "damaged or truncated.*prepare"),
    "no captions of a split": (put("dev_captions", None), "captions.h5", "dev_captions.*prepare"),
    "word ids beyond the vocabulary": (
        put("dev_captions", beyond),
        "captions.h5",
        "dev_captions has word ids from .* to 9999, .*the vocabulary of another dataset.*Prepare",
    ),
    "negative word ids": (
        put("dev_captions", lambda array: array - 1),
        "captions.h5",
        "dev_captions has word ids from -1.*Prepare",
    ),
    "captions of one dimension": (
        put("dev_captions", np.ravel),
        "captions.h5",
        "dev_captions and dev_image_idxs do not go together.*prepare",
    ),
    "fewer captions than images of them": (
        put("train_captions", lambda array: array[:-1]),
        "captions.h5",
        "train_captions and train_image_idxs do not go together.*prepare",
    ),
    "images that do not exist": (
        put("test_image_idxs", beyond),
        "captions.h5",
        "test_image_idxs has images from 0 to 9999, but there are 2; prepare",
    ),
    "captions that are numbers with a fraction": (
        put("dev_captions", lambda array: array.astype(float)),
        "captions.h5",
        "dev_captions.*float64.*prepare",
    ),
    "features missing": (
        lambda folder: (folder / "dev_features.h5").unlink(),
        "dev_features.h5",
        "missing; the dataset is incomplete, prepare it again",
    ),
    **{
        f"features cut after {share:%}": (
            cut("train_features.h5", share),
            "train_features.h5",
            "damaged or truncated.*prepare the dataset again",
        )
        for share in (0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99999)
    },
    "features under another name": (
        put_features("feature", np.ones((2, 1280), "f4")),
        "dev_features.h5",
        "no array `features`; prepare",
    ),
    "features are a group": (a_group, "dev_features.h5", "no array `features`; prepare"),
    "features of one dimension": (
        put_features("features", np.ones(1280, "f4")),
        "dev_features.h5",
        "expected numbers (images, D).*prepare",
    ),
    "features are words": (
        put_features("features", [[b"a", b"b"], [b"c", b"d"]]),
        "dev_features.h5",
        "`features` is .*expected numbers.*prepare",
    ),
    "features of another length": (
        put_features("features", np.ones((2, 64), "f4")),
        "dev_features.h5",
        "2 x 64 numbers, expected 2 x 1280, as train has; prepare",
    ),
    "too few names": (
        text("dev_images.txt", "one.jpg\n"),
        "dev_images.txt",
        "1 lines for 2 images; prepare",
    ),
    "names missing": (
        lambda folder: (folder / "dev_images.txt").unlink(),
        "dev_images.txt",
        "missing; the dataset is incomplete, prepare",
    ),
    "no references": (
        lambda folder: (folder / "references.json").unlink(),
        "references.json",
        "missing; the dataset is incomplete, prepare",
    ),
    "references cut": (cut("references.json", 0.5), "references.json", "damaged JSON (.*prepare"),
    "references of other images": (
        text("references.json", '{"train": {"x.jpg": ["A dog"]}}'),
        "references.json",
        "no references for some images of the split train; prepare",
    ),
    "references are a list": (
        text("references.json", "[]"),
        "references.json",
        "Expected `object`, got `array`.*; prepare",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_folders(folder, how):
    damage, file, message = BROKEN[how]
    open_dataset(folder)  # was whole before
    damage(folder)
    with pytest.raises(InputError) as error:
        open_dataset(folder)
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith(f"{folder / file}: ")
    position = len(str(folder / file)) + 2
    for part in message.split(".*"):
        position = line.find(part, position)
        assert position >= 0, f"{part!r} is not in {line!r}"


MAPPED = {"train_features.h5", "dev_features.h5", "test_features.h5"}


def test_open_dataset_checks_length_and_hash_of_files(tiny_dataset):
    files = open_dataset(tiny_dataset).info.files
    there = {file.name for file in tiny_dataset.iterdir()} - {"dataset.json"}
    assert set(files) == there
    assert {name for name, facts in files.items() if not facts.sha256} == MAPPED


def another_word(path):
    with h5py.File(path, "r+") as file:
        captions = file["dev_captions"]
        captions[0, 1] = 4 + (captions[0, 1] == 4)


def other_way_round(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[::-1]))


def another_letter(path):
    path.write_bytes(path.read_bytes().replace(b" a ", b" A ", 1))


CHANGES = {
    "captions.h5": another_word,
    "references.json": another_letter,
    "vocab.json": lambda path: path.write_text(path.read_text().replace("\n", " ", 1)),
    "dev_images.txt": other_way_round,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_noticed(folder, name):
    """Though it would open, and hold together."""
    before = (folder / name).read_bytes()
    CHANGES[name](folder / name)
    assert (folder / name).read_bytes() != before
    assert len((folder / name).read_bytes()) == len(before)
    with pytest.raises(InputError) as error:
        open_dataset(folder)
    assert str(error.value).startswith(
        f"{folder / name}: changed since it was written (its SHA-256"
    )


def test_features_of_another_length_are_noticed(folder):
    with (folder / "train_features.h5").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InputError, match=r"train_features\.h5: .* bytes, and .* were written"):
        open_dataset(folder)


def test_dataset_without_file_hashes_opens(folder):
    rewrite(folder / "dataset.json", lambda info: {k: v for k, v in info.items() if k != "files"})
    assert len(open_dataset(folder).splits["train"].image_ids) == 20


@pytest.mark.parametrize(
    "change",
    [
        {"files": []},
        {"files": {"vocab.json": 3}},
        {"files": {"vocab.json": {"bytds": 5}}},
        {"views": "x"},
        {"backbone": "x"},
        {"source": 3},
        {"sources": [1]},
    ],
)
def test_invalid_dataset_json_is_refused(folder, change):
    rewrite(folder / "dataset.json", lambda info: {**info, **change})
    with pytest.raises(InputError, match=r"(dataset|vocab)\.json: "):
        open_dataset(folder)
