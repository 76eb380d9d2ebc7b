"""Options of prepare and check: limits, and what has no effect."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from limner.data.preparing.config import CheckConfig
from limner.data.preparing.prepare import check_source
from limner.errors import InputError

HERE = Path("photos")


@pytest.mark.parametrize(
    "name", ["min_count", "max_words", "pca", "size", "views", "max_pixels", "ratio"]
)
@pytest.mark.parametrize("value", [10**18, -1, float("nan"), "x"])
def test_numbers_have_limits(name, value):
    value = (value, 1, 1) if name == "ratio" else value
    with pytest.raises(ValueError, match=f"^`{name}` "):
        CheckConfig(source=HERE, **{name: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": {"train": HERE}, "ratio": (8, 1, 1)}, "`ratio` has no effect with `split`"),
        ({"split": {"train": HERE}, "seed": 3}, "`seed` has no effect with `split`"),
        ({"weights": "a.pth"}, "`weights` has no effect with `backbone` unset"),
        ({"weights": "a.pth", "backbone": "b.onnx"}, r"no effect with `backbone` b\.onnx"),
        ({"split": {"1/2": HERE}}, "^`split` "),
        ({"ratio": (0, 1, 1)}, "^`ratio` "),
    ],
)
def test_invalid_combinations_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CheckConfig(source=HERE, **options)


@pytest.mark.parametrize("name", ["captions", "images"])
def test_shards_with_captions_inside(tmp_path, name):
    with tarfile.open(tmp_path / "train.tar", "w") as tar:
        for ending, content in (("jpg", b"x"), ("txt", b"a dog")):
            member = tarfile.TarInfo(f"1.{ending}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    config = CheckConfig(source=tmp_path / "train.tar", **{name: tmp_path})
    with pytest.raises(InputError, match=f"`{name}` has no effect with .*leave it out"):
        check_source(config, print)


def test_a_grid_takes_half_the_room():
    assert CheckConfig(source=HERE).numbers == np.float32
    assert CheckConfig(source=HERE, features="grid").numbers == np.float16
    assert CheckConfig(source=HERE, features="both", dtype="float32").numbers == np.float32
