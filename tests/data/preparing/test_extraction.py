"""Rows that a store lacks are made, in one opening of each image."""

import shutil

import numpy as np
import pytest
from PIL import Image

import limner.data.preparing.extraction as module
from limner.backbones.preprocessing import Preprocessing
from limner.data.feature_store import FeatureStore
from limner.data.preparing.extraction import Extraction, Wanted
from limner.data.preparing.scan import scan
from limner.images.limits import ImageLimits


class Colours:
    """A backbone that gives an image's mean colours, and keeps count."""

    name, threads, shape, shapes = "colours", 2, (3,), {"features": (3,)}
    preprocessing = Preprocessing(mean=0, scale=255, size=32)

    def __init__(self):
        self.seen = []

    def describe(self):
        from limner.backbones.info import BackboneInfo

        return BackboneInfo(name=self.name, sha256="0")

    def preprocess(self, image):
        return np.asarray(image.resize((32, 32)), np.float32).transpose(2, 0, 1)

    def features(self, pixels):
        self.seen.append(len(pixels))
        return pixels.mean(axis=(2, 3))


@pytest.fixture(autouse=True)
def batches_of_two(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)


@pytest.fixture
def wanted(drawn):
    return {
        f"{n}": Wanted(drawn / "images" / f"shapes-{n:06d}.jpg", 2 if n < 3 else 1)
        for n in range(7)
    }


@pytest.fixture
def start(tmp_path):
    """Returns (store, extraction, counts of its progress)."""

    def start(backbone=None, report=print):
        (tmp_path / "partial").mkdir(exist_ok=True)
        backbone = backbone or Colours()
        store, counts = FeatureStore(tmp_path / "partial", backbone, np.dtype("f4")), []
        extraction = Extraction(backbone, store, report, lambda *count: counts.append(count))
        return store, extraction, counts

    return start


def test_every_view_has_a_row(start, wanted):
    store, extraction, counts = start()
    seen = extraction.run(wanted)
    assert seen == scan({image: one.image_file for image, one in wanted.items()})
    assert len(store) == 10
    assert counts[-1] == (10, 10)
    assert counts == sorted(counts)
    for image, one in wanted.items():
        expected = np.asarray(Image.open(one.image_file)).mean(axis=(0, 1))
        for view in range(one.views):  # the mirror image has the same colours
            [piece] = store.pieces([f"{seen[image].sha256}:{view}"])["features"]
            [[row]] = piece.blocks()
            np.testing.assert_allclose(row, expected, atol=2)


def test_each_image_is_opened_once(start, wanted, monkeypatch):
    opened = []
    once = module.open_image_file
    monkeypatch.setattr(module, "open_image_file", lambda p: opened.append(p) or once(p))
    start()[1].run(wanted)
    assert sorted(opened) == [one.image_file for one in wanted.values()]


def test_many_views_are_made_a_few_at_a_time(start, wanted, monkeypatch):
    monkeypatch.setattr(module, "VIEWS_AT_ONCE", 2)
    store, extraction, counts = start()
    seen = extraction.run({"0": Wanted(wanted["0"].image_file, 5)})
    assert len(store) == 5
    assert counts[-1] == (5, 5)
    assert list(seen) == ["0"]


def test_known_rows_are_not_computed_again(start, wanted):
    start()[1].run(dict(list(wanted.items())[:4]))
    backbone = Colours()
    _, extraction, counts = start(backbone)
    extraction.run(wanted)
    assert sum(backbone.seen) == 3
    assert counts[-1] == (10, 10)


def test_known_image_beyond_the_limits_is_skipped(start, wanted, tmp_path):
    """As it would be if it were not known."""
    start()[1].run(wanted)
    small = tmp_path / "small.jpg"
    Image.open(wanted["0"].image_file).resize((20, 20)).save(small)
    store, _, _ = start()
    limits = ImageLimits(max_pixels=400)
    extraction = Extraction(Colours(), store, print, lambda *count: None, limits)
    seen = extraction.run({**wanted, "small": Wanted(small)})
    assert [image for image, one in seen.items() if one.problem is None] == ["small"]
    assert "more than the 400" in seen["0"].problem


def test_the_same_image_under_two_names_has_one_row(start, wanted, tmp_path):
    copy = shutil.copy(wanted["5"].image_file, tmp_path / "copy.jpg")
    store, extraction, counts = start()
    seen = extraction.run({**wanted, "copy": Wanted(tmp_path / copy)})
    assert seen["copy"] == seen["5"]
    assert len(store) == 10
    assert counts[-1] == (11, 11)


def test_unreadable_image_is_reported_and_retried(start, wanted, tmp_path):
    later, broken = tmp_path / "later.jpg", tmp_path / "broken.jpg"
    broken.write_bytes(wanted["0"].image_file.read_bytes()[:400])
    more = {"later": Wanted(later), "broken": Wanted(broken, 2), **wanted}
    store, extraction, counts = start()
    seen = extraction.run(more)
    assert seen["later"].problem == f"{later}: no such file; check the name and the folder"
    assert seen["broken"].problem.startswith(f"{broken}: the image is truncated")
    assert [seen[image].problem for image in wanted] == [None] * 7
    assert (len(store), counts[-1]) == (10, (13, 13))
    shutil.copy(wanted["3"].image_file, later)
    assert start()[1].run(more)["later"].sha256 == seen["3"].sha256


def test_an_image_that_changes_while_it_is_read_is_left_out(start, wanted, tmp_path, monkeypatch):
    """Or its views would be of two images."""
    monkeypatch.setattr(module, "VIEWS_AT_ONCE", 1)
    monkeypatch.setattr(module, "cores", lambda: 1)
    path = tmp_path / "changing.jpg"
    shutil.copy(wanted["0"].image_file, path)
    once = module.open_image_file

    def change(image_file):
        file = once(image_file)
        shutil.copy(wanted["1"].image_file, tmp_path / "other.jpg")
        (tmp_path / "other.jpg").replace(path)
        return file

    monkeypatch.setattr(module, "open_image_file", change)
    seen = start()[1].run({"changing": Wanted(path, 2)})
    assert "changing.jpg: changes while it is read; run this again" in seen["changing"].problem


def test_remaining_time_is_reported_once(start, wanted, monkeypatch):
    monkeypatch.setattr(module, "TELL_AFTER", -1)
    reports = []
    start(report=reports.append)[1].run(wanted)
    assert reports == ["extracting features: about 1 second left"]
