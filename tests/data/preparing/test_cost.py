"""What the work takes, foretold, and beside what it took."""

import pytest

from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.cost import Cost
from limner.data.preparing.prepare import check_source, feature_rows, prepare
from limner.errors import LimnerError


def feature_bytes(dataset):
    return sum(file.stat().st_size for file in dataset.path.glob("train_*.h5")) + sum(
        file.stat().st_size for file in dataset.path.glob("[dt]e*_*.h5")
    )


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"features": "grid"},
        {"features": "both", "views": 2},
        {"dtype": "float16"},
        {"features": "both", "pca": 7},
    ],
)
def test_bytes_are_those_that_are_written(drawn, tmp_path, change):
    captions = drawn / "captions.csv"
    job = PrepareConfig(
        source=drawn / "images", out=tmp_path / "out", captions=captions, size=64, min_count=2
    )
    job = job.changed(**change)
    found = check_source(job, lambda line: None)
    cost = feature_rows(job, found.source).cost(found.splits)
    dataset = prepare(job, lambda line: None)
    headers = 2048 * len(list(dataset.path.glob("*.h5")))
    assert cost.bytes <= feature_bytes(dataset) <= cost.bytes + headers


def test_a_disk_without_room(tmp_path):
    Cost(1000, 1000).check_room(tmp_path / "not" / "there")
    with pytest.raises(LimnerError, match=r"there: 2000000000\.0 GB are needed"):
        Cost(10**18, 10**18).check_room(tmp_path / "not" / "there")
    assert not (tmp_path / "not").exists()
