"""Rows in blocks, and the memory that they give back."""

import numpy as np
import pytest

from limner.data.blocks import blocks
from limner.data.hdf5 import h5_writer, map_features


@pytest.mark.parametrize("at_once", [1, 96, 1_000_000])
@pytest.mark.parametrize("rows", [None, [4, 4, 0, 9], []])
def test_all_rows_in_order(rng, monkeypatch, at_once, rows):
    monkeypatch.setattr("limner.data.blocks.BLOCK_BYTES", at_once)
    features = rng.standard_normal((10, 3, 2)).astype(np.float16)
    chosen = None if rows is None else np.array(rows, dtype=int)
    found = list(blocks(features, chosen))
    expected = features if rows is None else features[chosen]
    np.testing.assert_array_equal(np.concatenate([features[:0], *found]), expected)
    assert all(block.nbytes <= max(at_once, 12) for block in found)


def mapped_mb():
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("RssFile"))


def test_a_mapped_file_is_gone_through_without_staying_in_memory(tmp_path):
    try:
        mapped_mb()
    except OSError:
        pytest.skip("no /proc: not Linux")
    with h5_writer(tmp_path / "f.h5") as file:
        file.create_dataset("features", data=np.ones((40_000, 1000), np.float32))
    features = map_features(tmp_path / "f.h5")
    before = mapped_mb()
    peak, total = 0.0, 0.0
    for block in blocks(features):
        total += float(block.sum(dtype=np.float64))
        peak = max(peak, mapped_mb() - before)
    assert total == 40_000_000
    assert mapped_mb() - before < 20  # of 160
    assert peak < 80
