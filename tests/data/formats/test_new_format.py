"""A format that limner does not know: one class and one entry, and it is read like the others."""

from xml.etree import ElementTree

import pytest

from limner.cli import main
from limner.data.formats import FORMATS, Source, read_source
from limner.data.formats.caption_format import CaptionFormat
from limner.data.opening import open_dataset
from limner.errors import InputError
from written_sources import CAPTIONS, csv_text, features_h5, text, write_images


class Xml(CaptionFormat):
    """`<image name="a.jpg"><caption>A dog</caption></image>`"""

    name = "xml"
    title = "captions in XML and a folder of images"
    suffixes = (".xml",)
    label = "the XML file {}"

    def detect(self, file):
        return "<captions>" in file.text

    def read_file(self, path):
        try:
            images = ElementTree.parse(path).iter("image")
        except ElementTree.ParseError as error:
            raise InputError(f"{path}: not XML ({error})") from None
        result = Source(path)
        for image in images:
            for caption in image.iter("caption"):
                result.add(image.get("name", ""), caption.text or "", split=image.get("in", ""))
        return result.checked("<image> elements with <caption> elements")


@pytest.fixture(autouse=True)
def known():
    """FORMATS with one entry more."""
    before = dict(FORMATS)
    FORMATS.clear()
    FORMATS.update({"xml": Xml(), **before})
    yield
    FORMATS.clear()
    FORMATS.update(before)


@pytest.fixture
def folder(tmp_path):
    """A folder in this format."""
    write_images(tmp_path / "mine" / "photos")
    images = [
        f'<image name="{name}" in="{split}">'
        + "".join(f"<caption>{caption}</caption>" for caption in CAPTIONS[name])
        + "</image>"
        for name, split in zip(CAPTIONS, ("train", "train", "val"), strict=True)
    ]
    text(tmp_path / "mine" / "mine.xml", f"<captions>{''.join(images)}</captions>")
    text(tmp_path / "mine" / "other.xml", "<settings/>")
    return tmp_path / "mine"


def test_it_is_detected_and_read(folder):
    source = read_source(folder)
    assert source.format == "xml"
    assert source.title == f"the XML file mine.xml and the images of {folder}/photos/, with splits"
    assert source.captions == CAPTIONS
    assert source.splits == {"train": ["a 1.jpg", "b #2.jpg"], "val": ["été.jpg"]}
    assert source.problems == []
    assert read_source(folder / "mine.xml").captions == CAPTIONS
    assert read_source(folder / "photos", captions=folder / "mine.xml").captions == CAPTIONS


def test_features_take_its_captions(folder):
    features_h5(folder)
    (folder / "captions.csv").unlink()
    source = read_source(folder / "feats.h5")
    assert (source.format, source.captions) == ("features", CAPTIONS)


def test_it_is_checked_and_prepared(folder, tmp_path, capsys):
    assert main(["check", str(folder), "--min-count", "1"]) == 0
    assert f"{folder}: read as the XML file mine.xml" in capsys.readouterr().out
    options = ["--format", "xml", "--out", str(tmp_path / "out"), "--min-count", "1"]
    assert main(["prepare", str(folder), *options]) == 0
    dataset = open_dataset(tmp_path / "out")
    assert dataset.info.source.format == "xml"
    assert {name: len(split.image_ids) for name, split in dataset.splits.items()} == {
        "train": 2,
        "val": 1,
    }
    assert "dog" in dataset.vocabulary.word_to_idx


def test_it_is_named_with_the_others(folder):
    text(folder / "captions.csv", csv_text())
    source = read_source(folder, format="table")
    assert source.format == "table"
    (problem,) = read_source(folder).problems
    assert problem == (
        f"{folder}: captions.csv is there too; `format` table reads it as {FORMATS['table'].title}"
    )
    (folder / "mine.xml").write_text("<captions></captions>")
    with pytest.raises(InputError, match="not a single caption in it; expected <image> elem"):
        read_source(folder, format="xml")
    with pytest.raises(InputError, match="expected one of xml, webdataset, "):
        read_source(folder, format="zip")
