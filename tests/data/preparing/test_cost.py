"""What the work takes, foretold, and beside what it took."""

from dataclasses import replace

import pytest

from limner.data.preparing.cost import Cost
from limner.data.preparing.feature_rows import FromPictures
from limner.data.preparing.job import Job
from limner.data.preparing.prepare import look_before, prepare
from limner.data.writing import Captions
from limner.errors import LimnerError


def feature_bytes(dataset):
    return sum(file.stat().st_size for file in dataset.path.glob("train_*.h5")) + sum(
        file.stat().st_size for file in dataset.path.glob("[dt]e*_*.h5")
    )


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"keep": "grid"},
        {"keep": "both", "views": 2},
        {"dtype": "float16"},
        {"keep": "both", "pca": 7},
    ],
)
def test_bytes_are_those_that_are_written(drawn, tmp_path, change):
    words = Captions(min_count=2)
    captions = drawn / "captions.csv"
    job = Job(drawn / "images", tmp_path / "out", captions=captions, size=64, words=words)
    job = replace(job, **change)
    cost = FromPictures(job, look_before(job, lambda line: None), job.open_backbone()).cost()
    dataset = prepare(job, lambda line: None)
    headers = 2048 * len(list(dataset.path.glob("*.h5")))
    assert cost.bytes <= feature_bytes(dataset) <= cost.bytes + headers
    assert 0 < cost.seconds < 60


def test_a_disk_without_room(tmp_path):
    Cost(1000, 1000, 1.0).check_room(tmp_path / "not" / "there")
    with pytest.raises(LimnerError, match=r"there: 2000000000\.0 GB are needed"):
        Cost(10**18, 10**18, 1.0).check_room(tmp_path / "not" / "there")
    assert not (tmp_path / "not").exists()
