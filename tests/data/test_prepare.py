"""From pictures, captions and some trouble to a dataset; stopped at every moment, and gone on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

from limner.data.dataset import open_dataset
from limner.data.images import load_image
from limner.data.open_backbone import open_backbone
from limner.data.prepare import Job, prepare
from limner.data.sources import read_captions
from limner.data.views import view_of
from limner.errors import InputError
from limner.vocabulary import tokenize

NAMES = [f"shapes-{number:06d}.jpg" for number in range(24)]
TRUNCATED, EMPTY, TEXT, UNCAPTIONED = NAMES[2], NAMES[5], NAMES[9], NAMES[23]
BAD = {TRUNCATED, EMPTY, TEXT}


@pytest.fixture(scope="session")
def troubled(drawn, tmp_path_factory):
    """The drawn pictures, three of them broken, one without captions; a caption without picture."""
    folder = shutil.copytree(drawn, tmp_path_factory.mktemp("troubled") / "drawn")
    images = folder / "images"
    (images / TRUNCATED).write_bytes((images / TRUNCATED).read_bytes()[:600])
    (images / EMPTY).write_bytes(b"")
    (images / TEXT).write_text("not a picture")
    table = (folder / "captions.csv").read_text()
    lines = [line for line in table.splitlines() if not line.startswith(UNCAPTIONED)]
    lines.append("gone.jpg,A picture that is not there")
    lines.append(f"{NAMES[0]},  ")
    lines.append(f"{NAMES[1]},A zyzzyva sees " + "one more " * 20)
    (folder / "captions.csv").write_text("\n".join(lines))
    (folder / "train.txt").write_text("\n".join([*NAMES[:18], "gone.jpg"]))
    (folder / "dev.txt").write_text("\n".join([*NAMES[18:], "unknown.jpg"]))
    return folder


@pytest.fixture
def job(troubled, tmp_path):
    split_files = {name: troubled / f"{name}.txt" for name in ("train", "dev")}
    return Job(
        troubled / "images",
        troubled / "captions.csv",
        tmp_path / "dataset",
        split_files,
        min_count=2,
        max_words=8,
    )


@pytest.fixture(scope="session")
def undisturbed(troubled, tmp_path_factory):
    """(the dataset that an undisturbed run makes, what it reported)."""
    out = tmp_path_factory.mktemp("undisturbed") / "dataset"
    split_files = {name: troubled / f"{name}.txt" for name in ("train", "dev")}
    job = Job(
        troubled / "images", troubled / "captions.csv", out, split_files, min_count=2, max_words=8
    )
    reports = []
    return prepare(job, reports.append), reports


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_trouble_is_reported_by_name(undisturbed, troubled):
    dataset, reports = undisturbed
    images, table = troubled / "images", troubled / "captions.csv"
    number = len(table.read_text().splitlines()) - 1
    expected = [
        (f"{table}, line {number}: ", f"a blank caption for {NAMES[0]}"),
        (f"{images / 'gone.jpg'}: ", "no such picture; its captions are left out"),
        (f"{troubled / 'dev.txt'}: ", f"{UNCAPTIONED} has no caption in {table}"),
        (f"{troubled / 'dev.txt'}: ", f"unknown.jpg has no caption in {table}"),
        (f"{images / TRUNCATED}: ", "truncated"),
        (f"{images / EMPTY}: ", "empty, 0 bytes"),
        (f"{images / TEXT}: ", "not a picture"),
    ]
    for report, (start, reason) in zip(reports, expected, strict=True):
        assert report.startswith(start)
        assert reason in report
    assert dataset.info["skipped"] == {
        name: report.removesuffix(" (left out)")
        for name, report in zip((TRUNCATED, EMPTY, TEXT), reports[-3:], strict=True)
    }


def test_rows_are_the_good_pictures_in_order(undisturbed, troubled):
    dataset, _ = undisturbed
    backbone = open_backbone()
    train, dev = dataset.splits["train"], dataset.splits["dev"]
    assert list(train.image_ids) == [name for name in NAMES[:18] if name not in BAD]
    assert list(dev.image_ids) == NAMES[18:23]
    assert dataset.info["splits"] == {
        "train": {"images": 15, "captions": 76},
        "dev": {"images": 5, "captions": 25},
    }
    for split in (train, dev):
        assert len(split.features) == len(split.image_ids)
        for image, row in zip(split.image_ids, split.features, strict=True):
            picture = load_image(troubled / "images" / image, size_hint=448)
            (expected,) = backbone.features(backbone.preprocess(picture)[None])
            np.testing.assert_allclose(row, expected, atol=1e-4)
    apart = np.linalg.norm(train.features[:, None] - train.features, axis=2)
    assert apart[~np.eye(15, dtype=bool)].min() > 0.1  # no row could stand for another


def test_captions_are_cut_and_rare_words_unknown(undisturbed, troubled):
    dataset, _ = undisturbed
    texts = read_captions(troubled / "captions.csv").captions
    train = dataset.splits["train"]
    words = [tokenize(text) for image in train.image_ids for text in texts[image]]
    flat = [word for caption in words for word in caption]
    known = set(dataset.vocabulary.idx_to_word[4:])
    assert known == {word for word in flat if flat.count(word) >= 2}
    expected = [" ".join(w if w in known else "<UNK>" for w in caption[:8]) for caption in words]
    assert [dataset.vocabulary.decode(row) for row in train.captions] == expected
    assert "a <UNK> <UNK> one more one more one" in expected
    assert train.captions.shape == (76, 10)
    owners = [row for row, image in enumerate(train.image_ids) for _ in texts[image]]
    assert train.image_idxs.tolist() == owners


def test_references_are_raw(undisturbed, troubled):
    dataset, _ = undisturbed
    texts = read_captions(troubled / "captions.csv").captions
    for name, split in dataset.splits.items():
        assert dataset.references[name] == {image: texts[image] for image in split.image_ids}
    assert dataset.references["train"][NAMES[1]][-1].endswith("one more one more")


@pytest.mark.parametrize("count", [None, 5, 30, 55])
def test_views_of_the_training_pictures(undisturbed, job, count):
    """After all pictures, their mirror images, then crops; stopped, it goes on with any."""
    more = replace(job, views=2)
    if count:
        stopped_after(more, count, 59)
    dataset = prepare(more, lambda line: None)
    plain, train = undisturbed[0].splits["train"], dataset.splits["train"]
    np.testing.assert_array_equal(train.features, plain.features)
    backbone = open_backbone()
    for number, view in enumerate(train.views, start=1):
        assert view.shape == train.features.shape
        for row in (0, 7):
            name = train.image_ids[row]
            image = view_of(load_image(dataset.image_path(name), size_hint=448), number, name)
            expected = backbone.features(backbone.preprocess(image)[None])[0]
            np.testing.assert_allclose(view[row], expected, atol=1e-4)
            assert np.abs(view[row] - train.features[row]).max() > 0.01
    assert len(train.views) == 2
    assert dataset.splits["dev"].views == ()
    assert dataset.fingerprint != undisturbed[0].fingerprint


def test_larger_pictures(job):
    dataset = prepare(replace(job, grid=True, size=96), lambda line: None)
    assert dataset.splits["dev"].features.shape == (5, 9, 1819)
    assert dataset.info["backbone"]["preprocessing"]["size"] == 96


def test_prepared_already(undisturbed, job, monkeypatch):
    dataset, _ = undisturbed
    shutil.copytree(dataset.path, job.out)
    monkeypatch.setattr("limner.data.prepare.extract", None)  # must not be called
    reports = []
    assert prepare(job, reports.append).fingerprint == dataset.fingerprint
    assert reports[-1] == f"{job.out}: prepared already, nothing to do"


@pytest.mark.parametrize("change", [{"min_count": 3}, {"max_words": 9}, {"split_files": {}}])
def test_another_dataset_is_not_overwritten(undisturbed, job, change):
    dataset, _ = undisturbed
    shutil.copytree(dataset.path, job.out)
    with pytest.raises(InputError, match="holds a dataset from other captions, pictures or sett"):
        prepare(replace(job, **change), lambda line: None)
    assert files_of(job.out) == files_of(dataset.path)


def test_other_pictures_are_another_dataset(drawn, tmp_path):
    images = shutil.copytree(drawn / "images", tmp_path / "images")
    job = Job(images, drawn / "captions.csv", tmp_path / "out", min_count=2)
    first = prepare(job, lambda line: None).fingerprint
    with (images / NAMES[3]).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InputError, match="holds a dataset from other"):
        prepare(job, lambda line: None)
    assert open_dataset(job.out).fingerprint == first


class Stop(BaseException):
    """As KeyboardInterrupt, which pytest would take for its own."""


def stopped_after(job, count, pictures=23):
    def stop(done, total):
        assert total == pictures
        if done == count:
            raise Stop

    with pytest.raises(Stop):
        prepare(job, lambda line: None, stop)


@pytest.mark.parametrize("count", [1, 6, 17, 23])
def test_stopped_it_goes_on(undisturbed, job, count):
    stopped_after(job, count)
    with pytest.raises(InputError, match=r"half-prepared; run the same `limner prepare` again"):
        open_dataset(job.out)
    reports, done = [], []
    prepare(job, reports.append, lambda number, total: done.append(number))
    assert f"going on after {count} of 23 pictures" in reports
    assert done == list(range(count + 1, 24))  # the rest, and nothing twice
    assert files_of(job.out) == files_of(undisturbed[0].path)


def test_a_row_cut_short_is_made_anew(undisturbed, job):
    stopped_after(job, 9)
    with (job.out / "partial" / "features.f32").open("rb+") as file:
        file.truncate(4 * 1280 * 7 + 1001)
    done = []
    prepare(job, lambda line: None, lambda number, total: done.append(number))
    assert done[0] == 8
    assert files_of(job.out) == files_of(undisturbed[0].path)


def test_half_of_another_preparation_is_refused(undisturbed, job):
    stopped_after(job, 9)
    before = files_of(job.out / "partial")
    with pytest.raises(InputError) as error:
        prepare(replace(job, max_words=9), lambda line: None)
    assert str(error.value).startswith(f"{job.out / 'partial'}: half of another preparation")
    assert files_of(job.out / "partial") == before
    prepare(job, lambda line: None)
    assert files_of(job.out) == files_of(undisturbed[0].path)


def test_a_folder_partial_that_is_not_ours_is_left_alone(job):
    (job.out / "partial").mkdir(parents=True)
    (job.out / "partial" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="partial: half of another preparation"):
        prepare(job, lambda line: None)
    assert (job.out / "partial" / "thesis.txt").read_text() == "years of work"


def test_out_is_a_file(job):
    job.out.write_text("mine")
    with pytest.raises(InputError, match="dataset: a file; --out takes a folder"):
        prepare(job, lambda line: None)
    assert job.out.read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_count": 10_000}, "no word stands 10000 times.*lower --min-count"),
        ({"images": "nowhere"}, "nowhere: no such folder of pictures"),
        ({"images": "elsewhere"}, "none of its training pictures is in .*elsewhere"),
    ],
)
def test_what_cannot_be_prepared(job, tmp_path, change, message):
    (tmp_path / "elsewhere").mkdir()
    if "images" in change:
        change = {"images": tmp_path / change["images"]}
    with pytest.raises(InputError, match=message):
        prepare(replace(job, **change), lambda line: None)
    assert not (job.out / "dataset.json").exists()


def test_no_picture_can_be_read(job, tmp_path):
    (tmp_path / "images").mkdir()
    for name in NAMES:
        (tmp_path / "images" / name).write_text("not a picture")
    with pytest.raises(InputError, match="none of its 23 pictures can be read"):
        prepare(replace(job, images=tmp_path / "images"), lambda line: None)


# A second process: `limner` as people start it, with what happens to processes.
LIMNER = "import sys; from limner.cli import main; sys.exit(main())"
SLOWLY = (
    "import time; from limner.data import features as f; once = f.load_image\n"
    "f.load_image = lambda *a, **k: (time.sleep(0.1), once(*a, **k))[1]\n"
)
SMALL_FILES = (
    "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\n"
)


def command(job, before=""):
    options = [f"--split={name}={path}" for name, path in job.split_files.items()]
    numbers = ["--min-count", str(job.min_count), "--max-words", str(job.max_words)]
    paths = [str(job.images), "--captions", str(job.captions), "--out", str(job.out)]
    return [sys.executable, "-c", before + LIMNER, "prepare", *paths, *options, *numbers]


def test_killed_it_goes_on(undisturbed, job):
    rows = job.out / "partial" / "features.f32"
    process = subprocess.Popen(command(job, SLOWLY), stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (rows.exists() and rows.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = rows.stat().st_size // (4 * 1280)
    assert 0 < kept < 23
    assert not (job.out / "dataset.json").exists()
    done = []
    prepare(job, lambda line: None, lambda number, total: done.append(number))
    assert done == list(range(kept + 1, 24))
    assert files_of(job.out) == files_of(undisturbed[0].path)


@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of a file are POSIX's")
@pytest.mark.parametrize(
    ("size", "file"),
    [
        (20, "partial/job.json"),
        (31_000, "partial/features.f32"),  # six rows and a bit
        (4 * 1280 * 23 - 1, "partial/features.f32"),
    ],
)
def test_a_full_disk_while_extracting(undisturbed, job, size, file):
    failed = subprocess.run(
        command(job, SMALL_FILES.format(size)), capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    (line,) = [line for line in failed.stderr.splitlines() if "cannot be written" in line]
    assert failed.stderr.splitlines()[-1] == line
    assert line.startswith(f"limner: {job.out / file}: cannot be written (File too large)")
    assert "Traceback" not in failed.stderr
    assert failed.stdout == ""
    assert not list(job.out.glob("*.*"))
    prepare(job, lambda line: None)
    assert files_of(job.out) == files_of(undisturbed[0].path)


@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of a file are POSIX's")
@pytest.mark.parametrize(
    ("size", "file"),
    [
        (100, "vocab.json"),
        (3000, "references.json"),
        (6000, "captions.h5"),
        (40_000, "train_features.h5"),
        (78_199, "train_features.h5"),  # a byte too few
    ],
)
def test_a_full_disk_while_writing_the_dataset(undisturbed, job, size, file):
    stopped_after(job, 23)
    failed = subprocess.run(
        command(job, SMALL_FILES.format(size)), capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1, failed.stderr
    line = failed.stderr.splitlines()[-1]
    assert line.startswith(f"limner: {job.out / file}: cannot be written (")
    assert failed.stderr.count("cannot be written") == 1
    assert "Traceback" not in failed.stderr
    assert not (job.out / file).exists()
    assert not (job.out / "dataset.json").exists()
    assert not list(job.out.glob(".*"))
    whole = files_of(undisturbed[0].path)
    written = {path.name: path.read_bytes() for path in job.out.glob("*.*")}
    assert written == {name: whole[name] for name in written}
    prepare(job, lambda line: None)
    assert files_of(job.out) == whole


def test_features_lie_in_one_piece(undisturbed):
    with h5py.File(undisturbed[0].path / "train_features.h5") as file:
        assert file["features"].chunks is None
        assert file["features"].dtype == np.float32
    info = json.loads((undisturbed[0].path / "dataset.json").read_text())
    assert info["tokenizer"] == "limner.vocabulary.tokenize"
