"""Rows that belong to what an image holds, whatever happens between two runs."""

import hashlib
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from limner.backbones.open_backbone import open_backbone
from limner.data.feature_store import FeatureStore, key_of
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import prepare
from limner.errors import InputError

KEYS = [key_of(hashlib.sha256(bytes([n])).hexdigest(), 0, "") for n in range(7)]


@pytest.fixture(scope="module")
def backbone():
    return open_backbone(size=32)


@pytest.fixture
def start(tmp_path, backbone):
    def start(dtype="f4"):
        (tmp_path / "partial").mkdir(exist_ok=True)
        return FeatureStore(tmp_path / "partial", backbone, np.dtype(dtype))

    return start


@pytest.fixture
def numbers(rng, backbone):
    return rng.standard_normal((len(KEYS), *backbone.shape)).astype(np.float32)


def rows(store, keys):
    pieces = store.pieces(keys)["features"]
    return np.concatenate([block for piece in pieces for block in piece.blocks()])


def test_key_of_a_crop_has_the_image_s_name():
    keys = [key_of("ab", view, name) for view in (0, 1, 2) for name in ("a.jpg", "b.jpg")]
    assert keys == ["ab:0", "ab:0", "ab:1", "ab:1", "ab:2:a.jpg", "ab:2:b.jpg"]


def test_store_returns_appended_rows(start, numbers):
    store = start()
    store.append(KEYS[:4], numbers[:4])
    store = start()
    assert len(store) == 4
    store.append(KEYS[4:], numbers[4:])
    for again in (store, start()):
        assert [key in again for key in [*KEYS, "other:0"]] == [True] * 7 + [False]
        np.testing.assert_array_equal(rows(again, KEYS[::-1]), numbers[::-1])


@pytest.mark.parametrize("torn", ["keys", "rows"])
def test_store_without_a_whole_batch_begins_again(start, numbers, tmp_path, torn):
    start().append(KEYS[:3], numbers[:3])
    file, keys = tmp_path / "partial" / "features.f32", tmp_path / "partial" / "keys.jsonl"
    if torn == "keys":
        keys.write_text(keys.read_text()[:-9])
    else:
        file.write_bytes(b"")
    store = start()
    assert len(store) == 0
    store.append(KEYS, numbers)
    np.testing.assert_array_equal(rows(start(), KEYS), numbers)


@pytest.mark.parametrize("behind", ["rows", "keys", "half a line of keys", "half a batch"])
def test_store_is_cut_to_whole_batches(start, numbers, tmp_path, behind):
    """What a process leaves that was killed at any moment is not taken for a row."""
    store = start()
    store.append(KEYS[:3], numbers[:3])
    store.append(KEYS[3:5], numbers[3:5])
    file, keys = tmp_path / "partial" / "features.f32", tmp_path / "partial" / "keys.jsonl"
    if behind == "rows":
        file.write_bytes(file.read_bytes() + b"\7" * 5000)
    elif behind == "half a batch":
        file.write_bytes(file.read_bytes()[: 4 * 1280 * 4 + 99])
    else:
        line = json.dumps(KEYS[5:]) + "\n"
        keys.write_text(keys.read_text() + (line if behind == "keys" else line[:-9]))
    whole = 3 if behind == "half a batch" else 5
    store = start()
    assert len(store) == whole
    store.append(KEYS[whole:], numbers[whole:])
    np.testing.assert_array_equal(rows(start(), KEYS), numbers)


def test_store_reads_folder_of_limner_0_1(start, numbers, tmp_path, backbone):
    """It listed all keys beforehand, and made batches of 16."""
    keys = [key_of(f"{n:064x}", 0, "") for n in range(40)]
    start()
    plan = {"backbone": msgspec.to_builtins(backbone.describe()), "dtype": "float32", "rows": keys}
    (tmp_path / "partial" / "plan.json").write_text(json.dumps(plan))
    written = np.tile(numbers, (5, 1))
    (tmp_path / "partial" / "features.f32").write_bytes(written.tobytes())
    store = start()
    assert len(store) == 32
    store.append(KEYS, numbers)
    np.testing.assert_array_equal(rows(start(), [*keys[:32], *KEYS]), [*written[:32], *numbers])


@pytest.mark.parametrize(("number", "dtype"), [(np.nan, "f4"), (np.inf, "f4"), (1e6, "f2")])
def test_store_notes_numbers_that_cannot_be_kept(start, numbers, number, dtype):
    numbers[2, 7] = number
    store = start(dtype)
    store.append(KEYS, numbers)
    for again in (store, start(dtype)):
        assert [again.unusable(key) for key in KEYS] == [n == 2 for n in range(7)]


def test_store_refuses_a_damaged_plan(start, numbers, tmp_path):
    start().append(KEYS, numbers)
    plan = tmp_path / "partial" / "plan.json"
    plan.write_text(plan.read_text()[:-9])
    with pytest.raises(InputError, match=r"plan\.json: damaged JSON .* to begin again"):
        start()


@pytest.fixture(scope="module")
def job(drawn, tmp_path_factory):
    return PrepareConfig(
        source=drawn / "images",
        captions=drawn / "captions.csv",
        out=tmp_path_factory.mktemp("earlier") / "earlier",
        min_count=2,
        size=32,
        views=2,
        features="both",
        dtype="float32",
    )


@pytest.fixture(scope="module")
def earlier(job):
    return prepare(job, lambda line: None)


def test_store_reads_an_earlier_dataset(earlier, job, tmp_path, numbers):
    (tmp_path / "partial").mkdir()
    both = open_backbone(size=32, keep="both")
    store = FeatureStore(tmp_path / "partial", both, np.dtype("f4"))
    store.add(earlier)
    train, grid = earlier.splits["train"], earlier.others["train"]
    assert len(store) == 3 * len(train.image_ids) + sum(
        len(split.image_ids) for name, split in earlier.splits.items() if name != "train"
    )
    own = np.tile(np.arange(both.shape[0], dtype=np.float32), (2, 1))
    store.append(KEYS[:2], own)
    for view, (features, places) in enumerate(
        zip((train.features, *train.views), (grid.features, *grid.views), strict=True)
    ):
        named = zip(train.image_ids, train.sha256s, strict=True)
        keys = [key_of(sha256, view, image) for image, sha256 in named]
        mixed = store.pieces([keys[5], KEYS[1], keys[2], keys[3]])
        assert [len(piece.rows) for piece in mixed["features"]] == [1, 1, 2]
        for part, array, mine in (
            ("features", features, own[1, :1280]),
            ("grid", places, own[1, 1280:].reshape(places.shape[1:])),
        ):
            found = [row for piece in mixed[part] for block in piece.blocks() for row in block]
            np.testing.assert_array_equal(found, [array[5], mine, array[2], array[3]])


def test_a_dataset_of_limner_0_1_is_not_reused(job, tmp_path):
    """It has no image hashes."""
    old = Path(__file__).parents[1] / "written_by_0_1" / "datasets" / "pooled"
    usual = {"source": job.source, "captions": job.captions, "out": tmp_path / "out"}
    later = PrepareConfig(**usual, min_count=2, dtype="float16", reuse=(old,))
    with pytest.raises(InputError, match="pooled: has no image hashes"):
        prepare(later, lambda line: None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 64}, "images of 32 x 32"),
        ({"dtype": "float16"}, "numbers as float32 of"),
        ({"features": "pooled", "pca": 4}, None),
    ],
)
def test_other_features_are_not_reused(earlier, job, tmp_path, change, message):
    later = job.changed(out=tmp_path / "out", reuse=(job.out,), **change)
    if message is None:  # components are computed anew
        assert prepare(later, lambda line: None).input_dim == 4
        later, message = job.changed(out=tmp_path / "more", reuse=(later.out,)), "components"
    with pytest.raises(InputError, match="which are other features than those") as caught:
        prepare(later, lambda line: None)
    assert message in str(caught.value)
