"""Rows that belong to what a picture holds, whatever happens between two runs."""

import json

import msgspec
import numpy as np
import pytest

import limner.data.preparing.extraction as module
from limner.backbones.open_backbone import open_backbone
from limner.backbones.preprocessing import Preprocessing
from limner.data.preparing.extraction import Extraction, View, key_of
from limner.data.preparing.look import sha256_of_picture
from limner.errors import InputError


@pytest.fixture(scope="module")
def backbone():
    return open_backbone(size=32)


@pytest.fixture(autouse=True)
def batches_of_two(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)


@pytest.fixture
def wanted(drawn):
    paths = [drawn / "images" / f"shapes-{n:06d}.jpg" for n in range(7)]
    return {key_of(sha256_of_picture(path), 0, ""): View(path) for path in paths}


@pytest.fixture
def start(tmp_path, backbone):
    return lambda: Extraction(tmp_path / "partial", backbone, np.dtype("f4"), print)


class Stop(BaseException):
    """In the place of a kill."""


def stop_at(count):
    def progress(done, total):
        if done >= count:
            raise Stop

    return progress


def rows(extraction, wanted):
    place = extraction.rows_of(wanted)
    return np.stack([extraction.rows()[place[key]] for key in wanted])


@pytest.fixture
def expected(tmp_path, backbone, wanted):
    undisturbed = Extraction(tmp_path / "once", backbone, np.dtype("f4"), print)
    assert undisturbed.run(wanted, lambda done, total: None) == {}
    return rows(undisturbed, wanted)


def test_a_crop_is_known_by_its_picture_s_name_too():
    keys = [key_of("ab", view, name) for view in (0, 1, 2) for name in ("a.jpg", "b.jpg")]
    assert keys == ["ab:0", "ab:0", "ab:1", "ab:1", "ab:2:a.jpg", "ab:2:b.jpg"]


@pytest.mark.parametrize("count", [2, 4, 6])
def test_stopped_and_gone_on_with(start, wanted, expected, count):
    with pytest.raises(Stop):
        start().run(wanted, stop_at(count))
    again = start()
    assert again.done == count
    assert again.run(wanted, lambda done, total: None) == {}
    np.testing.assert_array_equal(rows(again, wanted), expected)


def test_stopped_again_and_again_with_other_pictures(start, wanted, expected):
    """In another order, fewer, all: a row never stands for another picture."""
    keys = list(wanted)
    for chosen in ([0, 1, 2, 3, 4], [6, 5, 2], [3, 6], [5, 4, 3, 2, 1, 0], [6, 0, 1, 2, 3, 4, 5]):
        some = {keys[i]: wanted[keys[i]] for i in chosen}
        extraction = start()
        try:
            extraction.run(some, stop_at(3 if chosen[0] != 6 else 99))
        except Stop:
            continue
        np.testing.assert_array_equal(rows(extraction, some), expected[chosen])
    last = start()
    assert last.run(wanted, lambda done, total: None) == {}
    np.testing.assert_array_equal(rows(last, wanted), expected)


@pytest.mark.parametrize("step", ["_cut", "_write_plan", "_append"])
def test_killed_between_plan_and_rows(start, wanted, expected, tmp_path, step):
    """Rows behind the last whole batch are gone before a new plan gives their places away."""
    with pytest.raises(Stop):
        start().run(wanted, stop_at(4))
    file = tmp_path / "partial" / "features.f32"
    with file.open("ab") as end:
        end.write(b"\7" * 4 * 1280)  # a row of the batch that was under way
    backwards = dict(reversed(wanted.items()))

    def killed(*_):
        raise Stop

    extraction = start()
    setattr(extraction, step, killed)
    with pytest.raises(Stop):
        extraction.run(backwards, lambda done, total: None)
    again = start()
    again.run(backwards, lambda done, total: None)
    np.testing.assert_array_equal(rows(again, wanted), expected)


def test_a_picture_that_is_gone_has_no_row_and_is_tried_again(start, wanted, expected, tmp_path):
    third = list(wanted)[3]
    moved = {**wanted, third: View(tmp_path / "later.jpg")}
    first = start()
    failed = first.run(moved, lambda done, total: None)
    assert list(failed) == [third]
    assert "later.jpg: no such file" in failed[third]
    assert third not in first.rows_of(moved)
    (tmp_path / "later.jpg").write_bytes(wanted[third].picture.read_bytes())
    again = start()
    assert again.run(moved, lambda done, total: None) == {}
    np.testing.assert_allclose(rows(again, moved), expected, atol=1e-5)


def test_a_damaged_plan(start, wanted, tmp_path):
    with pytest.raises(Stop):
        start().run(wanted, stop_at(2))
    plan = tmp_path / "partial" / "plan.json"
    plan.write_text(plan.read_text()[:-9])
    with pytest.raises(InputError, match=r"plan\.json: damaged JSON .* to begin again"):
        start()


def test_what_the_plan_says(start, wanted, backbone, tmp_path):
    start().run(wanted, lambda done, total: None)
    plan = json.loads((tmp_path / "partial" / "plan.json").read_text())
    assert plan["rows"] == list(wanted)
    assert plan["backbone"] == msgspec.to_builtins(backbone.describe())


def test_a_picture_that_changes_after_the_look_is_not_taken(backbone, drawn, tmp_path):
    """Or its row would stand for what it was."""
    paths = [drawn / "images" / f"shapes-{n:06d}.jpg" for n in range(3)]
    wanted = {key_of(sha256_of_picture(path), 0, ""): View(path) for path in paths}
    changed = tmp_path / "changed.jpg"
    changed.write_bytes(paths[0].read_bytes())
    keys = list(wanted)
    extraction = Extraction(tmp_path / "partial", backbone, np.dtype("f4"), print)
    failed = extraction.run(wanted | {keys[1]: View(changed)}, lambda done, total: None)
    assert list(failed) == [keys[1]]
    assert "changed.jpg: changed since it was looked at; run the same command" in failed[keys[1]]
    assert list(extraction.rows_of(wanted)) == [keys[0], keys[2]]


class Odd:
    """A backbone that gives one number too large, or none at all."""

    name, threads, shape = "odd", 1, (2,)
    preprocessing = Preprocessing(mean=0, scale=255, size=2)

    def __init__(self, number):
        self.number = number

    def describe(self):
        return {"name": self.name}

    def preprocess(self, image):
        return np.zeros((3, 2, 2), np.float32)

    def features(self, pixels):
        return np.array([[1, self.number]] * len(pixels), np.float32)


@pytest.mark.parametrize(("number", "dtype"), [(np.nan, "f4"), (np.inf, "f4"), (1e6, "f2")])
def test_numbers_that_cannot_be_kept(drawn, tmp_path, number, dtype):
    path = drawn / "images" / "shapes-000000.jpg"
    key = key_of(sha256_of_picture(path), 0, "")
    extraction = Extraction(tmp_path / "partial", Odd(number), np.dtype(dtype), print)
    failed = extraction.run({key: View(path)}, lambda done, total: None)
    assert failed[key].startswith(f"{path}: odd gives numbers for it that float")
    assert extraction.rows_of([key]) == {}
