"""What is refused, and the one line that says why."""

import numpy as np
import pytest

from limner.data.formats import read_source
from limner.errors import InputError
from written_sources import (
    FEATURES,
    JPEG,
    csv,
    csv_text,
    features_h5,
    features_npy,
    karpathy,
    tar,
    text,
    write_images,
)


def nan(folder):
    features_h5(folder, np.where(FEATURES == 6, np.nan, FEATURES))


def whole_numbers(folder):
    features_h5(folder, FEATURES.astype(int))


def too_few_ids(folder):
    features_h5(folder, ids=["a.jpg"])


def pickled(folder):
    features_npy(folder)
    np.save(folder / "feats.npy", np.array([{}, 1, 2], dtype=object))


def no_ids(folder):
    features_npy(folder)
    (folder / "feats.txt").unlink()


def classes(folder):
    write_images(folder, ["cats/1.jpg", "dogs/2.jpg", "dogs/3.jpg"])


def no_captions(folder):
    write_images(folder, ["1.jpg"])


def no_images(folder):
    text(folder / "captions.csv", csv_text())


def nothing(folder):
    pass


def only_words(folder):
    text(folder / "notes.md", "hello")


def two_tables(folder):
    csv(folder)
    text(folder / "more.csv", csv_text())


def unknown_columns(folder):
    write_images(folder)
    text(folder / "labels.csv", "image,breed\na 1.jpg,poodle\n")


def names_of_others(folder):
    write_images(folder, ["x.jpg"])
    text(folder / "captions.csv", csv_text())


def cut_json(folder):
    karpathy(folder)
    path = folder / "dataset_mine.json"
    path.write_bytes(path.read_bytes()[:-30])


def damaged_text(folder):
    write_images(folder)
    content = "image,caption\na 1.jpg,a café\nb.jpg,a café\n".encode()
    text(folder / "captions.csv", content.removesuffix(b"\xa9\n"))


def class_shards(folder):
    tar(folder / "0.tar", {"1.jpg": JPEG, "1.cls": b"3"})


def compressed_shards(folder):
    text(folder / "0.tar.gz", b"\x1f\x8b")


def gzip_called_tar(folder):
    text(folder / "0.tar", b"\x1f\x8b123")


def course(folder):
    text(folder / "coco2014_captions.h5", "")


def prepared(folder):
    text(folder / "dataset.json", "{}")
    text(folder / "captions.h5", "")


REFUSED = {
    nan: "the features of b #2.jpg (row 1) are not all finite",
    whole_numbers: "int64 (3, 4), expected floats",
    too_few_ids: "1 ids for 3 rows",
    pickled: "damaged, or not what its name says",
    no_ids: "no ids of its 3 rows",
    classes: "folders of images (cats, dogs) and no captions; the name of a class is not a sent",
    no_captions: "1 image and no captions; write captions.csv",
    no_images: "no images for captions.csv in it; give their folder with `images`",
    nothing: "an empty folder",
    only_words: "no images in it (",
    two_tables: "2 files could be meant, captions.csv or more.csv; name one with `captions`",
    unknown_columns: "labels.csv, line 1: no column caption",
    names_of_others: "none of its images, such as 'a 1.jpg', is among the 1 of",
    cut_json: "dataset_mine.json: not JSON",
    damaged_text: "captions.csv, line 3: not UTF-8",
    class_shards: "a .cls is the number of a class, not a sentence",
    compressed_shards: "compressed; unpack it with gunzip",
    gzip_called_tar: "compressed; unpack it with gunzip",
    course: "needs no preparing; train on it with `limner train",
    prepared: "prepared already; train on it with `limner train",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_unusable_sources_are_refused_with_a_reason(tmp_path, make):
    make(tmp_path)
    with pytest.raises(InputError) as error:
        read_source(tmp_path)
    assert REFUSED[make] in str(error.value)
    assert str(error.value).startswith(str(tmp_path))
    assert "\n" not in str(error.value)


def test_requested_format_without_files_is_refused(tmp_path):
    csv(tmp_path)
    with pytest.raises(
        InputError, match=r"nothing in it has `format` webdataset: WebDataset's tar"
    ):
        read_source(tmp_path, format="webdataset")
    with pytest.raises(InputError, match=r"`format` course: expected one of webdataset, features"):
        read_source(tmp_path, format="course")
    with pytest.raises(InputError, match=r"\*\*x\.tar: no file of such a name"):
        read_source(tmp_path / "**x.tar")
    with pytest.raises(InputError, match="nowhere: no such file"):
        read_source(tmp_path / "nowhere")


def test_captions_that_are_of_another_kind(tmp_path):
    csv(tmp_path)
    shard = tar(tmp_path / "0.tar", {"1.jpg": JPEG})
    with pytest.raises(InputError, match=r"0\.tar: expected a file of captions, and not WebDatas"):
        read_source(tmp_path, captions=shard)
    with pytest.raises(InputError, match=r"2 files could be meant, .*; name one instead of"):
        two_features(tmp_path)
    (tmp_path / "c.csv.gz").touch()
    with pytest.raises(InputError, match="unpack it with gunzip first"):
        read_source(tmp_path, captions=tmp_path / "c.csv.gz", format="table")


def two_features(folder):
    features_npy(folder)
    np.save(folder / "more.npy", FEATURES)
    read_source(folder, format="features")
