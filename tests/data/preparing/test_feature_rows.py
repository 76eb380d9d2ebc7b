"""Datasets of features that somebody has made before, without an image or with earlier ones."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from limner.captioner import Captioner
from limner.data.editing.subset import SubsetConfig, subset
from limner.data.opening import open_dataset
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import prepare
from limner.data.tokens import TokenConfig
from limner.errors import InputError
from limner.models import RNNConfig
from limner.training.config import TrainConfig
from limner.training.run import TrainingRun


@pytest.fixture
def features(rng):
    return rng.standard_normal((30, 6)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, features):
    """features.npy, ids.txt and captions.csv; the last image has no caption."""
    np.save(tmp_path / "features.npy", features)
    (tmp_path / "ids.txt").write_text("".join(f"p{number}\n" for number in range(30)))
    lines = [f'p{number},"a dog, number {number}"\n' for number in range(29)]
    (tmp_path / "captions.csv").write_text("image,caption\n" + "".join(lines))
    return tmp_path


def job(folder, **more):
    more = {"min_count": 2, **more}
    return PrepareConfig(source=folder / "features.npy", out=folder / "dataset", **more)


def test_rows_by_their_ids(folder, features):
    reports = []
    dataset = prepare(job(folder), reports.append)
    assert any("images without captions: 1: p29" in report for report in reports)
    found = {}
    for split in dataset.splits.values():
        found |= dict(zip(split.image_ids, split.features, strict=True))
    assert len(found) == 29
    for image, row in found.items():
        np.testing.assert_array_equal(row, features[int(image[1:])])
    assert dataset.info.backbone.name == "features.npy"
    assert dataset.info.backbone.dim == 6
    assert prepare(job(folder), reports.append).fingerprint == dataset.fingerprint
    assert reports[-1].endswith("prepared already, nothing to do")


def test_a_folder_with_them(folder):
    """The folder in the place of the file is the same source."""
    by_name = prepare(job(folder), lambda line: None)
    by_folder = PrepareConfig(source=folder, out=folder / "again", min_count=2)
    assert prepare(by_folder, lambda line: None).fingerprint == by_name.fingerprint


def test_other_numbers_are_another_dataset(folder, features):
    prepare(job(folder), lambda line: None)
    np.save(folder / "features.npy", features + 1)
    with pytest.raises(InputError, match="holds a dataset with other backbone;"):
        prepare(job(folder), lambda line: None)


def test_components_of_a_grid(folder, rng):
    grid = rng.standard_normal((30, 4, 6)).astype(np.float16)
    with h5py.File(folder / "grid.h5", "w") as file:
        file["features"] = grid
        file["ids"] = [f"p{number}" for number in range(30)]
    given = PrepareConfig(
        source=folder / "grid.h5",
        out=folder / "dataset",
        captions=folder / "captions.csv",
        min_count=2,
        features="grid",
        pca=3,
    )
    dataset = prepare(given, lambda line: None)
    assert dataset.has_grid
    train = dataset.splits["train"]
    rows = np.array([int(image[1:]) for image in train.image_ids])
    expected = dataset.projection.project(grid[rows])
    np.testing.assert_allclose(train.features, expected, atol=1e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": "grid"}, "has 6 numbers an image; use `features` pooled"),
        ({"views": 1, "size": 224}, "leave `views` and `size` out"),
        ({"images": Path()}, "`images` has no effect with the features of features.npy"),
        ({"max_pixels": 9}, "leave `max_pixels` out"),
        ({"pca": 7}, "`pca` 7: features of 6 numbers have no more"),
    ],
)
def test_feature_file_must_match_the_options(folder, change, message):
    with pytest.raises(InputError, match=message):
        prepare(job(folder, **change), lambda line: None)
    assert not (folder / "dataset" / "dataset.json").exists()


def test_a_backbone_that_did_not_make_them(folder, tmp_path):
    from limner.backbones.onnx_backbone import _BUNDLED

    with pytest.raises(InputError, match="6 numbers an image, and efficientnet_lite0 gives 1280"):
        prepare(job(folder, backbone=str(_BUNDLED)), lambda line: None)


def test_captioner_names_both_backbones_for_precomputed_features(folder):
    dataset = prepare(job(folder), lambda line: None)
    config = TrainConfig(model=RNNConfig(wordvec_dim=4, hidden_dim=4), epochs=1, batch_size=8)
    TrainingRun(dataset, folder / "run", config, report=lambda line: None).train()
    with pytest.raises(InputError) as error:
        Captioner.load(folder / "run")
    assert "a model trained on features of features.npy (" in str(error.value)
    assert "the backbone here is efficientnet_lite0 (" in str(error.value)
    assert open_dataset(folder / "dataset").fingerprint == dataset.fingerprint


@pytest.fixture
def network(monkeypatch):
    """How many images the network has seen, a number for each run of it."""
    from limner.backbones.onnx_backbone import OnnxBackbone

    runs, features = [], OnnxBackbone.features

    def counted(self, pixels):
        runs.append(len(pixels))
        return features(self, pixels)

    monkeypatch.setattr(OnnxBackbone, "features", counted)
    return runs


def test_a_grown_folder_costs_its_new_images_alone(drawn, tmp_path, network):
    """And, where the splits are others, the views of what is newly in train."""
    images = tmp_path / "images"
    shutil.copytree(drawn / "images", images)
    new = {f"shapes-{n:06d}.jpg" for n in (3, 11, 20)}
    for name in new:
        (images / name).unlink()
    usual = {"source": images, "captions": drawn / "captions.csv", "min_count": 2, "size": 64}
    first = PrepareConfig(**usual, out=tmp_path / "first", views=2)
    earlier = prepare(first, lambda line: None)
    for name in new:
        shutil.copy(drawn / "images" / name, images)
    with pytest.raises(InputError, match=r"holds a dataset with other images, .* `reuse`"):
        prepare(first, lambda line: None)
    network.clear()
    grown = first.changed(out=tmp_path / "grown", reuse=(first.out,))
    dataset = prepare(grown, lambda line: None)
    known = set(earlier.splits["train"].image_ids)
    newly_in_train = [image for image in dataset.splits["train"].image_ids if image not in known]
    assert sum(network) == len(new) + 2 * len(newly_in_train)
    anew = prepare(grown.changed(out=tmp_path / "anew", reuse=()), lambda line: None)
    assert dataset.fingerprint == anew.fingerprint
    for name, split in anew.splits.items():
        for found, expected in zip(dataset.splits[name].arrays, split.arrays, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-4)


def test_other_options_run_no_network(drawn, tmp_path, network):
    usual = {"source": drawn / "images", "captions": drawn / "captions.csv", "size": 64}
    first = PrepareConfig(**usual, out=tmp_path / "first", min_count=2)
    dataset = prepare(first, lambda line: None)
    network.clear()
    second = first.changed(
        out=tmp_path / "second", min_count=1, ratio=(50, 25, 25), pca=3, reuse=(first.out,)
    )
    found = prepare(second, lambda line: None)
    assert network == []
    assert found.input_dim == 3
    assert sum(len(split.image_ids) for split in found.splits.values()) == 24
    assert not (second.out / "partial").exists()
    cut = subset(
        dataset, tmp_path / "cut", TokenConfig(min_count=1), SubsetConfig(split={"train": 4})
    )
    third = second.changed(out=tmp_path / "third", reuse=(cut.path,))
    prepare(third, lambda line: None)
    assert sum(network) == 16
