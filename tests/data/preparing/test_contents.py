"""No option of prepare is forgotten by the fingerprint, and datasets of before are known again."""

import shutil
from typing import Annotated

import numpy as np
import pytest
from msgspec import Meta

from limner.backbones.info import BackboneInfo
from limner.config import sha256_of_json
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.contents import contents_of
from limner.data.preparing.prepare import check_source, feature_rows

PLACES = {"source", "out", "reuse"}
"""Where things are: they change nothing in the dataset."""

ONLY_HOW = {"format", "images"}
"""How the source is read; the same captions and images are the same dataset."""

CHANGES = {
    "min_count": 3,
    "max_words": 7,
    "tokens": "char",
    "captions": "other.csv",
    "split": {"train": "train.txt"},
    "ratio": (60, 20, 20),
    "seed": 1,
    "backbone": "net.onnx",
    "features": "both",
    "dtype": "float16",
    "pca": 4,
    "size": 64,
    "views": 1,
    "max_pixels": 64 * 64 - 1,
}
"""Another value of every option that changes the dataset."""


@pytest.fixture(scope="module")
def folder(drawn, tmp_path_factory):
    """Images, captions, and what the changes name; one image is smaller than the others."""
    from PIL import Image

    from limner.backbones.onnx_backbone import _BUNDLED

    folder = shutil.copytree(drawn, tmp_path_factory.mktemp("contents") / "drawn")
    first = folder / "images" / "shapes-000000.jpg"
    with Image.open(first) as image:
        image.resize((60, 60)).save(first)
    text = (folder / "captions.csv").read_text()
    (folder / "other.csv").write_text(text.replace(" a ", " one "))
    (folder / "train.txt").write_text("".join(f"shapes-{n:06d}.jpg\n" for n in range(9)))
    toml = _BUNDLED.with_suffix(".toml").read_text()
    shutil.copy(_BUNDLED, folder / "net.onnx")
    (folder / "net.toml").write_text(toml.replace("bicubic", "bilinear"))
    return folder


def contents(folder, **options):
    usual = {
        "source": folder / "images",
        "out": folder / "out",
        "captions": folder / "captions.csv",
        "max_pixels": 10_000,
    }
    config = PrepareConfig(**(usual | options))
    findings = check_source(config, lambda line: None)
    return contents_of(config, findings, feature_rows(config, findings.source).info)


def test_every_option_is_part_of_the_contents():
    known = PLACES | ONLY_HOW | CHANGES.keys() | {"weights"}  # these need PyTorch
    assert set(PrepareConfig.__struct_fields__) == known


@pytest.mark.parametrize("name", CHANGES)
def test_an_option_changes_the_fingerprint(folder, name):
    value = CHANGES[name]
    if name == "split":
        value = {split: folder / file for split, file in value.items()}
    elif isinstance(value, str) and "." in value:
        value = folder / value if name == "captions" else str(folder / value)
    one, other = contents(folder), contents(folder, **{name: value})
    assert sha256_of_json(one.hashes()) != sha256_of_json(other.hashes())


def test_places_and_ways_do_not(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert contents(folder).hashes() == contents(moved, format="table", out=tmp_path).hashes()
    assert contents(folder).hashes() == contents(folder, images=folder / "images").hashes()


def test_a_new_option_is_not_forgotten(folder):
    class Newer(PrepareConfig, frozen=True, kw_only=True):
        sharpen: Annotated[int, Meta(ge=0, le=9)] = 0

    options = {"source": folder / "images", "captions": folder / "captions.csv", "out": folder}
    findings = check_source(PrepareConfig(**options), lambda line: None)
    info = BackboneInfo(name="net", sha256="0")
    usual, unset, set_ = (
        contents_of(config, findings, info).hashes()
        for config in (PrepareConfig(**options), Newer(**options), Newer(**options, sharpen=1))
    )
    assert usual == unset
    assert set_.keys() - usual.keys() == {"options"}


def test_the_fingerprint_of_the_first_version(tmp_path):
    """Of features in a file, which give the same numbers on every machine."""
    np.save(tmp_path / "features.npy", np.arange(60, dtype=np.float32).reshape(10, 6))
    (tmp_path / "ids.txt").write_text("".join(f"p{number}\n" for number in range(10)))
    lines = [f'p{number},"a dog, number {number}"\n' for number in range(10)]
    (tmp_path / "captions.csv").write_text("image,caption\n" + "".join(lines))
    config = PrepareConfig(source=tmp_path / "features.npy", out=tmp_path / "out", tokens="char")
    findings = check_source(config, lambda line: None)
    info = feature_rows(config, findings.source).info
    found = sha256_of_json(contents_of(config, findings, info).hashes())
    assert found == "2b90879a35c02c8b6fcef01f7ebba7ae3ec5a03fabaadb0af7463ccde9cd8aed"
