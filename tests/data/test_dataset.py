"""Opening what `prepare` wrote, and every way in which it can be broken."""

import io
import json
import shutil
import tracemalloc

import h5py
import numpy as np
import pytest

from limner.data.backbones.open_backbone import open_backbone
from limner.data.dataset import Split
from limner.data.hdf5 import map_features
from limner.data.opening import open_dataset
from limner.data.sources import read_captions
from limner.errors import InputError, LimnerError
from limner.vocabulary import tokenize


@pytest.fixture(scope="session")
def backbone():
    return open_backbone()


@pytest.fixture
def folder(tiny_dataset, tmp_path):
    """A copy of the dataset, to break."""
    return shutil.copytree(tiny_dataset, tmp_path / "dataset")


def test_what_prepare_wrote(tiny_dataset, drawn, backbone):
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
            assert dataset.picture(image) == drawn / "images" / image
            expected_row = features_of(backbone, drawn / "images" / image)
            np.testing.assert_allclose(row, expected_row, atol=1e-4)
    assert dataset.input_dim == backbone.dim
    assert dataset.info["backbone"] == backbone.describe()
    assert dataset.fingerprint == dataset.info["fingerprint"] != dataset.vocabulary.sha256


def features_of(backbone, path):
    from limner.data.pictures.images import load_image

    return backbone.features(backbone.preprocess(load_image(path, size_hint=448))[None])[0]


def test_mapped_features_are_those_in_the_file(tiny_dataset):
    features = open_dataset(tiny_dataset).splits["train"].features
    with h5py.File(tiny_dataset / "train_features.h5") as file:
        expected = file["features"][()]
    assert isinstance(features, np.memmap)
    assert not features.flags.writeable
    assert expected.std() > 0.1
    np.testing.assert_array_equal(features, expected)


@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4", "f8"])
def test_any_float_is_mapped(tmp_path, rng, dtype):
    expected = rng.standard_normal((7, 5)).astype(dtype)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["features"] = expected
    features = map_features(tmp_path / "f.h5")
    assert isinstance(features, np.memmap)
    np.testing.assert_array_equal(features, expected)


@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4"])
@pytest.mark.parametrize(
    "how",
    [
        {"chunks": (3, 2)},
        {"compression": "gzip"},
        {"chunks": (7, 5), "shuffle": True},
        {"chunks": (1, 5), "compression": "gzip"},
    ],
)
@pytest.mark.parametrize("unpacked", [1, 45, 4_000_000])
def test_features_in_chunks_are_unpacked_and_mapped(
    tmp_path, rng, how, dtype, unpacked, monkeypatch
):
    monkeypatch.setattr("limner.data.hdf5.UNPACKED", unpacked)
    expected = rng.standard_normal((7, 5)).astype(dtype)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("features", data=expected, **how)
    before = sorted(tmp_path.iterdir())
    features = map_features(tmp_path / "f.h5")
    assert isinstance(features, np.memmap)
    assert not features.flags.writeable
    assert features.dtype == dtype
    np.testing.assert_array_equal(features, expected)
    assert sorted(tmp_path.iterdir()) == before


def test_unpacking_leaves_no_file_and_keeps_one_row_of_chunks_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    N, D = 4000, 1000  # 16 MB
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("features", (N, D), "f4", fillvalue=0.5, chunks=(50, D))
    tracemalloc.start()
    features = map_features(tmp_path / "f.h5")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 9e6
    assert features.shape == (N, D)
    assert features.min() == features.max() == 0.5
    assert not list((tmp_path / "temporary").iterdir())


def test_a_disk_too_full_to_unpack(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("features", (100, 5), "f4", compression="gzip")
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))

    def full(self, *args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", type("Full", (io.BytesIO,), {"write": full}))
    with pytest.raises(LimnerError) as error:
        map_features(tmp_path / "f.h5")
    assert str(error.value).startswith(f"{place}: cannot be written (No space left on device)")
    assert "\n" not in str(error.value)


def test_damaged_chunks(tmp_path, rng):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        features = file.create_dataset(
            "features", data=rng.standard_normal((40, 50)), chunks=(10, 50), compression="gzip"
        )
        place = features.id.get_chunk_info(2).byte_offset
    with (tmp_path / "f.h5").open("rb+") as raw:
        raw.seek(place)
        raw.write(bytes(200))
    with pytest.raises(InputError, match=r"f\.h5: damaged or truncated .*; prepare the dataset"):
        map_features(tmp_path / "f.h5")


def test_features_of_no_picture(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("features", (0, 5), "f4")
    assert map_features(tmp_path / "f.h5").shape == (0, 5)


def test_minibatch():
    split = Split(
        np.array([[1, 4, 2], [1, 5, 2], [1, 6, 2]]),
        np.array([1, 0, 1]),
        np.array([[0.5, 1], [2, 3]], np.float32),
        ("a", "b"),
    )
    captions, features = split.minibatch(np.array([2, 1]))
    assert captions.tolist() == [[1, 6, 2], [1, 5, 2]]
    assert features.tolist() == [[2, 3], [0.5, 1]]


def test_a_picture_or_one_of_its_views_is_drawn():
    captions = np.array([[1, 4, 2]] * 600)
    features = np.arange(300, dtype=np.float32)[:, None]
    views = (features + 1000, features + 2000)
    split = Split(captions, np.repeat(np.arange(300), 2), features, (), views)
    rows, rng = np.arange(2, 600), np.random.default_rng(0)
    _, shared, whose = split.shared_minibatch(rows, rng)
    assert shared.shape == (299, 1)
    np.testing.assert_array_equal(shared[whose, 0] % 1000, split.image_idxs[rows])
    assert (np.bincount(shared[:, 0].astype(int) // 1000) > 70).all()
    _, each = split.minibatch(rows, rng)
    assert (np.bincount(each[:, 0].astype(int) // 1000) > 150).all()
    assert (split.minibatch(rows)[1] < 1000).all()
    assert (features < 1000).all()


def test_the_split_to_validate_on(tiny_dataset):
    dataset = open_dataset(tiny_dataset)
    dev, test = dataset.splits["dev"], dataset.splits["test"]
    assert dataset.split() == ("dev", dev)
    assert dataset.split("test") == ("test", test)
    del dataset.splits["dev"]
    assert dataset.split() == ("test", test)
    dataset.splits["val"] = dev
    assert dataset.split() == ("val", dev)
    with pytest.raises(InputError, match=r"no split dev; it has train, test, val"):
        dataset.split("dev")


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
    """Word ids or pictures that do not exist."""
    return np.where(np.arange(len(array)).reshape(-1, *[1] * (array.ndim - 1)) == 3, 9999, array)


# what was done, the file at fault ("" is the folder), what the message says
BROKEN = {
    "no folder": (shutil.rmtree, "", "no such folder; `limner prepare` makes"),
    "no dataset.json": (without_dataset_json, "", "no dataset.json in it; `limner prepare` makes"),
    "half-prepared": (half_prepared, "", "half-prepared; run the same `limner prepare` again"),
    "another version": (
        edited("dataset.json", lambda info: {**info, "schema_version": 99}),
        "dataset.json",
        "schema version 99, and this limner reads version 1; prepare the dataset again",
    ),
    "damaged JSON": (cut("dataset.json", 0.5), "dataset.json", "damaged JSON (.*prepare"),
    "empty dataset.json": (text("dataset.json", ""), "dataset.json", "damaged JSON (.*prepare"),
    "a list": (text("dataset.json", "[]"), "dataset.json", "schema version None.*prepare"),
    "no splits": (
        edited("dataset.json", lambda info: {**info, "splits": None}),
        "dataset.json",
        "no table `splits` with their pictures counted; prepare",
    ),
    "no training pictures": (
        edited("dataset.json", lambda info: {**info, "splits": {"dev": info["splits"]["dev"]}}),
        "dataset.json",
        "no split `train`; prepare",
    ),
    "vocabulary of another dataset": (
        edited("vocab.json", lambda v: {"idx_to_word": [*v["idx_to_word"], "zebra"]}),
        "vocab.json",
        "the vocabulary of another dataset; prepare",
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
    "fewer captions than pictures of them": (
        put("train_captions", lambda array: array[:-1]),
        "captions.h5",
        "train_captions and train_image_idxs do not go together.*prepare",
    ),
    "pictures that do not exist": (
        put("test_image_idxs", beyond),
        "captions.h5",
        "test_image_idxs has pictures from 0 to 9999, but there are 2; prepare",
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
        "expected numbers (pictures, D).*prepare",
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
        "1 names for 2 pictures; prepare",
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
    "references of other pictures": (
        text("references.json", '{"train": {"x.jpg": ["A dog"]}}'),
        "references.json",
        "no references for some pictures of the split train; prepare",
    ),
    "references are a list": (
        text("references.json", "[]"),
        "references.json",
        "damaged JSON .*; prepare",
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
