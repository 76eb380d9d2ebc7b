"""What was found, on a page: each problem with its names, reasons and images."""

import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from limner.data.formats import Source, read_source
from limner.data.preparing.check import find, summary
from limner.data.preparing.cost import Cost
from limner.data.preparing.prepare import nothing
from limner.report.check import ABREAST, SHOWN, write_check
from report.dom import parse, table_of

EVIL = '<script>alert(1)</script> & "$title"'
VOID = {"meta", "img", "line", "path", "link", "input", "rect", "circle", "br"}


class Sections(HTMLParser):
    """Text and number of images below each heading; raises where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.images, self.heading = [], {}, {}, ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag in ("h1", "h2", "h3"):
            self.heading = ""
        if tag == "img":
            self.images[self.heading] = self.images.get(self.heading, 0) + 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.heading += data
        elif self.open and data.strip():
            self.texts[self.heading] = self.texts.get(self.heading, "") + f"{data.strip()}\n"


def sections_of(findings, tmp_path, cost=None):
    write_check(tmp_path / "page.html", findings, cost)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "<script" not in text
    assert 'src="http' not in text
    return Sections(text)


@pytest.fixture(scope="module")
def messy(drawn, tmp_path_factory):
    """Of 24 drawn images two are broken, two are copies, one has no caption; 40 are not there."""
    folder = shutil.copytree(drawn, tmp_path_factory.mktemp("messy") / "drawn")
    images = folder / "images"
    names = sorted(path.name for path in images.iterdir())
    (images / names[0]).write_bytes(b"")
    (images / names[1]).write_text("no image")
    shutil.copy(images / names[2], images / "leak.jpg")
    shutil.copy(images / names[3], images / "twice.jpg")
    shutil.copy(images / names[4], images / "silent.jpg")
    lines = (folder / "captions.csv").read_text().splitlines()
    quoted = EVIL.replace('"', '""')
    lines += [f'leak.jpg,"{quoted}"', "twice.jpg,twice", "leak.jpg,一只狗在跑"]
    lines += [f"gone{number}.jpg,gone" for number in range(40)]
    lines += [f"{names[5]},  "]
    (folder / "captions.csv").write_text("\n".join(lines))
    source = read_source(images, captions=folder / "captions.csv")
    splits = {"train": [*names[:20], "twice.jpg"], "dev": [*names[20:], "leak.jpg", "silent.jpg"]}
    return find(source, splits, nothing)


def test_every_problem_is_on_the_page(messy, tmp_path):
    page = sections_of(messy, tmp_path, Cost(2_000_000, 0))
    texts, images = page.texts, page.images
    assert "2 MB" in texts["Source"]
    assert "a blank caption for shapes-000005.jpg" in texts["Problems while reading"]
    unreadable = texts["Unreadable images: 2"]
    assert "shapes-000000.jpg: empty, 0 bytes" in unreadable
    assert "shapes-000001.jpg: not an image" in unreadable
    leak = "The same image in several splits: 1"
    assert images[leak] == 2
    assert "shapes-000002.jpg (train)\nleak.jpg (dev)\n" in texts[leak]
    assert images["The same image twice in a split: 1"] == 2
    gone = texts["Captions without images: 40"]
    assert all(f"gone{number}.jpg\n" in gone for number in range(40))
    assert "30 more" in gone
    assert images["Images without captions: 1"] == 1
    assert "一只狗在跑" in texts["Scripts that are not tokenized correctly: 1"]
    assert f"{EVIL}\n" in texts["Sample images"]
    assert images["Sample images"] == 24


def test_check_page_vocabulary(messy, tmp_path):
    texts = sections_of(messy, tmp_path).texts
    table = texts["Caption lengths"].split("in the other splits\n")[1].split("\n")
    for row, one in enumerate(messy.vocabulary):
        assert table[4 * row : 4 * row + 4] == [
            str(one.min_count),
            f"{one.words:,}",
            f"{one.unknown:.1%}",
            f"{one.unknown_elsewhere:.1%}",
        ]


def test_page_numbers_are_those_of_the_json(messy, tmp_path):
    found = messy.to_json()
    write_check(tmp_path / "page.html", messy)
    page = parse((tmp_path / "page.html").read_text("utf-8"))
    splits, vocabulary = map(table_of, page.all("table"))
    assert texts_of(splits) == {
        split: {"images": f"{counts['images']:,}", "captions": f"{counts['captions']:,}"}
        for split, counts in found["splits"].items()
    }
    assert texts_of(vocabulary) == {
        str(one["min_count"]): {
            "words": f"{one['words']:,}",
            "<UNK> in train": f"{one['unknown']:.1%}",
            "<UNK> in the other splits": f"{one['unknown_elsewhere']:.1%}",
        }
        for one in found["vocabulary"]
    }
    lengths = found["caption_lengths"]
    tips = [rect.one("title").text for rect in page.all("rect")]
    assert (
        tips[:-1]
        == [  # the longest stand together
            f"captions, {words} words: {100 * lengths.get(words, 0) / sum(lengths.values()):.1f} %"
            for words, _ in enumerate(tips[:-1], min(lengths))
        ]
    )
    counted = dict(h3.text.rsplit(": ", 1) for h3 in page.all("h3") if ": " in h3.text)
    assert {heading: int(number) for heading, number in counted.items()} == {
        "Unreadable images": len(found["unreadable"]),
        "The same image in several splits": len(found["same_image_across_splits"]),
        "The same image twice in a split": len(found["same_image_within_a_split"]),
        "Captions without images": len(found["captions_without_images"]),
        "Images without captions": len(found["images_without_captions"]),
        "Scripts that are not tokenized correctly": len(found["mangled"]),
    }


def texts_of(table):
    return {row: {name: cell.text for name, cell in cells.items()} for row, cells in table.items()}


def test_summary_numbers_are_those_of_the_json(messy):
    found, lines = messy.to_json(), summary(messy)
    for split, counts in found["splits"].items():
        assert f"{split}: {counts['images']} images, {counts['captions']} captions" in lines
    [head] = [number for number, line in enumerate(lines) if "minimum count" in line]
    columns = "minimum count words <UNK> in train <UNK> elsewhere"
    assert " ".join(lines[head].split()) == columns
    rows = [line.split() for line in lines[head + 1 : head + 1 + len(found["vocabulary"])]]
    assert rows == [
        [
            str(one["min_count"]),
            f"{one['words']:,}",
            f"{one['unknown']:.1%}",
            f"{one['unknown_elsewhere']:.1%}",
        ]
        for one in found["vocabulary"]
    ]


def test_check_page_without_problems(drawn, tmp_path):
    source = read_source(drawn / "images", captions=drawn / "captions.csv")
    findings = find(source, {"train": list(source.image_files)}, nothing)
    texts = sections_of(findings, tmp_path).texts
    assert texts["Problems"] == "None.\n"
    assert "–" in texts["Caption lengths"]


def test_check_page_without_training_images(drawn, tmp_path):
    source = read_source(drawn / "images", captions=drawn / "captions.csv")
    findings = find(source, {"train": ["a.jpg", "b.jpg"]}, nothing)
    page = sections_of(findings, tmp_path)
    assert "It cannot be prepared: no training images are left." in page.texts["images"]
    assert "Words" not in page.texts


def test_check_page_of_features_without_images(tmp_path, rng):
    captions = {f"{number}": ["a dog", "a cat"] for number in range(5)}
    source = Source(
        tmp_path / "f.npy",
        "features",
        "the features of f.npy",
        captions,
        features=rng.random((6, 4), dtype=np.float32),
        feature_ids=tuple("012345"),
    )
    page = sections_of(find(source, {"train": list("012345")}, nothing), tmp_path)
    assert page.images == {}
    assert "Image not found" not in str(page.texts)
    assert page.texts["Features without captions: 1"].endswith("5\n")
    assert page.texts["Sample images"].count("a dog") == 5


def test_page_size_is_bounded(drawn, tmp_path):
    """Sizes are bounded: the rest are names."""
    name = min(path.name for path in (drawn / "images").iterdir())
    source = Source(drawn, "table", "a table", root=drawn)
    ids = [f"{number}.jpg" for number in range(3000)]
    source.image_files = dict.fromkeys([*ids, name], drawn / "images" / name)
    source.captions = {i: ["a dog"] for i in (*ids[:10], name)}
    findings = find(source, {"train": [*ids[:10], name]}, nothing)
    page = sections_of(findings, tmp_path)
    assert page.images["Images without captions: 2,990"] == SHOWN
    assert page.texts["Images without captions: 2,990"].count(".jpg") == 2990
    assert page.images["The same image twice in a split: 1"] == ABREAST
    assert " = ".join([*ids[:10], name]) in page.texts["The same image twice in a split: 1"]
    assert (tmp_path / "page.html").stat().st_size < 1_500_000
