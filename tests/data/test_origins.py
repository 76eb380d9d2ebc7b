"""Which source an image is looked for in."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from limner.data.formats import FORMATS, Member
from limner.data.opening import open_dataset
from limner.data.origins import Origins, noted
from limner.data.schema import DatasetInfo, Origin, SourceInfo
from limner.errors import InputError

A, B = SourceInfo(images="a"), SourceInfo(images="b")
TWO = DatasetInfo(
    sources=[
        Origin(A, {"train": 2, "dev": 1}),
        Origin(B, {"train": 1}, {"B/1.jpg": "1.jpg"}),
    ]
)
IDS = {"train": ["1.jpg", "2.jpg", "B/1.jpg"], "dev": ["3.jpg"]}


def test_an_image_of_each_of_two_sources():
    origins = Origins(TWO, IDS)
    places = [origins.find(image).as_posix() for images in IDS.values() for image in images]
    assert places == ["a/1.jpg", "a/2.jpg", "b/1.jpg", "a/3.jpg"]


def places(**splits):
    """{split: (name, source, name there)}, by names with the source's letter, as `B/1.jpg`."""
    sources = {"a": A, "b": B}
    return {
        split: [(name, sources[source], there) for name, source, there in images]
        for split, images in splits.items()
    }


def test_some_rows_keep_their_sources():
    origins = Origins(TWO, IDS)
    info = noted({"train": [(image, *origins.place(image)) for image in IDS["train"][1:]]})
    assert [(one.source.images, one.image_counts, one.renamed) for one in info.sources] == [
        ("a", {"train": 1}, {}),
        ("b", {"train": 1}, {"B/1.jpg": "1.jpg"}),
    ]
    again = Origins(info, {"train": ["2.jpg", "B/1.jpg"]})
    assert again.find("2.jpg") == Path("a/2.jpg")
    assert again.find("B/1.jpg") == Path("b/1.jpg")


def test_two_halves_of_one_source_are_one():
    train = [("1", "a", "1"), ("2", "a", "2")]
    assert noted(places(train=train, dev=[("3", "a", "3")])) == DatasetInfo(source=A)
    info = noted(places(train=[("B/1", "a", "1"), *train]))
    assert info.sources == [Origin(A, {"train": 3}, {"B/1": "1"})]


@pytest.mark.parametrize(
    "dev", ["aab", "ba", "ab", "b", "bab"], ids=lambda sources: f"dev from {sources}"
)
def test_every_split_finds_its_sources(dev):
    """In whatever order they come."""
    splits = {
        split: [(f"{split}{n}", source, f"{n}") for n, source in enumerate(sources)]
        for split, sources in (("train", "aabba"), ("dev", dev), ("test", "b"))
    }
    info = noted(places(**splits))
    origins = Origins(info, {split: [one[0] for one in images] for split, images in splits.items()})
    for images in splits.values():
        for name, source, there in images:
            assert origins.find(name) == Path(source) / there


def test_features_alone_have_no_image():
    origins = Origins(DatasetInfo(source=SourceInfo(format="features")), {"train": ["x"]})
    assert not origins.have_images
    with pytest.raises(InputError, match="x: only its features were given"):
        origins.find("x")


def shards(path):
    return DatasetInfo(source=SourceInfo(format="webdataset", path=str(path)))


def test_a_shard_that_is_gone(tmp_path):
    info = shards(tmp_path / "gone.tar")
    with pytest.raises(InputError, match=r"gone\.tar: the image a\.jpg is not in it any more"):
        Origins(info, {"train": ["a.jpg"]}).find("a.jpg")


@pytest.mark.skipif("webdataset" not in FORMATS, reason="this limner does not read WebDataset")
def test_an_image_in_a_shard(tiny_dataset, drawn, tmp_path):
    data = open_dataset(tiny_dataset)
    image = data.splits["dev"].image_ids[0]
    content = (drawn / "images" / image).read_bytes()
    with tarfile.open(tmp_path / "dev.tar", "w") as tar:
        for name, part in (
            (image, content),
            (f"{Path(image).stem}.json", json.dumps({"caption": "a"}).encode()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(part)
            tar.addfile(member, io.BytesIO(part))
    data = replace(data, info=shards(tmp_path / "dev.tar"))
    found = data.image_file(image)
    assert isinstance(found, Member)
    assert found.open().read() == content
