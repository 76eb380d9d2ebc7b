"""From images, captions and some trouble to a dataset; stopped at every moment, and gone on."""

import json
import shutil
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from limner.backbones.open_backbone import open_backbone
from limner.data.formats import read_captions
from limner.data.opening import open_dataset
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import prepare
from limner.data.schema import SplitInfo
from limner.errors import InputError
from limner.images.images import load_image
from limner.images.views import view_of
from limner.io import locked
from limner.vocabulary import tokenize


@pytest.fixture(scope="module", autouse=True)
def batches_of_four():
    """So that there are some to stop between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limner.data.preparing.extraction.BATCH", 4)
        yield


NAMES = [f"shapes-{number:06d}.jpg" for number in range(24)]
TRUNCATED, EMPTY, TEXT, UNCAPTIONED = NAMES[2], NAMES[5], NAMES[9], NAMES[23]
BAD = {TRUNCATED, EMPTY, TEXT}


@pytest.fixture(scope="session")
def troubled(drawn, tmp_path_factory):
    """The drawn images, three of them broken, one without captions; a caption without image."""
    folder = shutil.copytree(drawn, tmp_path_factory.mktemp("troubled") / "drawn")
    images = folder / "images"
    (images / TRUNCATED).write_bytes((images / TRUNCATED).read_bytes()[:600])
    (images / EMPTY).write_bytes(b"")
    (images / TEXT).write_text("not an image")
    table = (folder / "captions.csv").read_text()
    lines = [line for line in table.splitlines() if not line.startswith(UNCAPTIONED)]
    lines.append("gone.jpg,An image that is not there")
    lines.append(f"{NAMES[0]},  ")
    lines.append(f"{NAMES[1]},A zyzzyva sees " + "one more " * 20)
    (folder / "captions.csv").write_text("\n".join(lines))
    (folder / "train.txt").write_text("\n".join([*NAMES[:18], "gone.jpg"]))
    (folder / "dev.txt").write_text("\n".join([*NAMES[18:], "unknown.jpg"]))
    return folder


def job_for(troubled, out):
    split_files = {name: troubled / f"{name}.txt" for name in ("train", "dev")}
    return PrepareConfig(
        source=troubled / "images",
        out=out,
        captions=troubled / "captions.csv",
        split=split_files,
        min_count=2,
        max_words=8,
    )


@pytest.fixture
def job(troubled, tmp_path):
    return job_for(troubled, tmp_path / "dataset")


@pytest.fixture(scope="module")
def undisturbed(troubled, tmp_path_factory):
    """(the dataset that an undisturbed run makes, what it reported)."""
    out = tmp_path_factory.mktemp("undisturbed") / "dataset"
    reports = []
    return prepare(job_for(troubled, out), reports.append), reports


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_trouble_is_reported_by_name(undisturbed, troubled):
    dataset, reports = undisturbed
    images, table = troubled / "images", troubled / "captions.csv"
    number = len(table.read_text().splitlines()) - 1
    expected = [
        ("train: 18 images, 91 captions", ""),
        ("dev: 5 images, 25 captions", ""),
        (f"{table}, line {number}: ", f"a blank caption for {NAMES[0]}"),
        ("images without captions: 1: ", UNCAPTIONED),
        ("captions without images: 2: ", "gone.jpg, unknown.jpg"),
    ]
    left_out = [
        (f"{images / TRUNCATED}: ", "truncated"),
        (f"{images / EMPTY}: ", "empty, 0 bytes"),
        (f"{images / TEXT}: ", "not an image"),
    ]
    for report, (start, reason) in zip(
        [*reports[1:6], *reports[-3:]], [*expected, *left_out], strict=True
    ):
        assert report.startswith(start)
        assert reason in report
    assert dataset.info.skipped == {
        name: report.removesuffix(" (left out)")
        for name, report in zip((TRUNCATED, EMPTY, TEXT), reports[-3:], strict=True)
    }


def test_rows_are_the_good_images_in_order(undisturbed, troubled):
    dataset, _ = undisturbed
    backbone = open_backbone()
    train, dev = dataset.splits["train"], dataset.splits["dev"]
    assert list(train.image_ids) == [name for name in NAMES[:18] if name not in BAD]
    assert list(dev.image_ids) == NAMES[18:23]
    assert dataset.info.splits == {"train": SplitInfo(15, 76), "dev": SplitInfo(5, 25)}
    for split in (train, dev):
        assert len(split.features) == len(split.image_ids)
        for image, row in zip(split.image_ids, split.features, strict=True):
            image_file = load_image(troubled / "images" / image, size_hint=448)
            (expected,) = backbone.features(backbone.preprocess(image_file)[None])
            np.testing.assert_allclose(row, expected, atol=1e-4)
    apart = np.linalg.norm(train.features[:, None] - train.features, axis=2)
    assert apart[~np.eye(15, dtype=bool)].min() > 0.1  # no row could stand for another


def test_captions_are_truncated_and_rare_words_unknown(undisturbed, troubled):
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


@pytest.mark.parametrize("count", [None, 4, 24, 48])
def test_views_of_the_training_images(undisturbed, job, count):
    """After all images, their mirror images, then crops; stopped, it goes on with any."""
    more = job.changed(views=2)
    if count:
        stopped_after(more, count)
    dataset = prepare(more, lambda line: None)
    plain, train = undisturbed[0].splits["train"], dataset.splits["train"]
    np.testing.assert_array_equal(train.features, plain.features)
    backbone = open_backbone()
    for number, view in enumerate(train.views, start=1):
        assert view.shape == train.features.shape
        for row in (0, 7):
            name = train.image_ids[row]
            image = view_of(load_image(dataset.image_file(name), size_hint=448), number, name)
            expected = backbone.features(backbone.preprocess(image)[None])[0]
            np.testing.assert_allclose(view[row], expected, atol=1e-4)
            assert np.abs(view[row] - train.features[row]).max() > 0.01
    assert len(train.views) == 2
    assert dataset.splits["dev"].views == ()
    assert dataset.fingerprint != undisturbed[0].fingerprint


def test_larger_images(job):
    dataset = prepare(job.changed(features="grid", size=96), lambda line: None)
    assert dataset.splits["dev"].features.shape == (5, 9, 1819)
    assert dataset.info.backbone.size == 96


def test_prepared_already(undisturbed, job, monkeypatch):
    dataset, _ = undisturbed
    shutil.copytree(dataset.path, job.out)
    monkeypatch.setattr("limner.data.preparing.prepare.FromImages.make", None)  # must not be called
    reports = []
    assert prepare(job, reports.append).fingerprint == dataset.fingerprint
    assert reports[-1] == f"{job.out}: prepared already, nothing to do"


@pytest.mark.parametrize(
    "change",
    [
        {"min_count": 3, "max_words": 8},
        {"min_count": 2, "max_words": 9},
        {"dtype": "float16"},
        {"pca": 4},
        {"features": "both"},
    ],
)
def test_another_dataset_is_not_overwritten(undisturbed, job, change):
    dataset, _ = undisturbed
    shutil.copytree(dataset.path, job.out)
    with pytest.raises(InputError, match=r"holds a dataset with other (words|features|backbone)"):
        prepare(job.changed(**change), lambda line: None)
    assert files_of(job.out) == files_of(dataset.path)


def test_other_images_are_another_dataset(drawn, tmp_path):
    """Even of as many bytes."""
    images = shutil.copytree(drawn / "images", tmp_path / "images")
    job = PrepareConfig(
        source=images, out=tmp_path / "out", captions=drawn / "captions.csv", min_count=2
    )
    first = prepare(job, lambda line: None).fingerprint
    content = bytearray((images / NAMES[3]).read_bytes())
    content[-30] ^= 1
    (images / NAMES[3]).write_bytes(content)
    with pytest.raises(InputError, match="holds a dataset with other images;"):
        prepare(job, lambda line: None)
    assert open_dataset(job.out).fingerprint == first


class Stop(BaseException):
    """As KeyboardInterrupt, which pytest would take for its own."""


def kept(job):
    """How many rows of features are there."""
    keys = job.out / "partial" / "keys.jsonl"
    lines = keys.read_text().splitlines() if keys.exists() else []
    return sum(len(json.loads(line)) for line in lines)


def stopped_after(job, count):
    """Stop when so many images, in whole batches, are done."""

    def stop(stage, done, total):
        if kept(job) == count:
            raise Stop

    with pytest.raises(Stop):
        prepare(job, lambda line: None, stop)


def extracted(job, report=lambda line: None):
    """Prepare; returns how many rows were there after each batch of this run."""
    counts = [kept(job)]

    def progress(stage, done, total):
        if kept(job) != counts[-1]:
            counts.append(kept(job))

    prepare(job, report, progress)
    return counts[1:]


@pytest.mark.parametrize("count", [4, 16, 20])
def test_stopped_run_is_resumed(undisturbed, job, count):
    stopped_after(job, count)
    with pytest.raises(
        InputError, match=r"preparation unfinished; run the same `limner prepare` again"
    ):
        open_dataset(job.out)
    reports = []
    counts = extracted(job, reports.append)
    assert counts == list(range(count + 4, 21, 4))  # the rest, and nothing twice
    assert f"going on: {count} rows of features are there" in reports
    assert files_of(job.out) == files_of(undisturbed[0].path)


def test_incomplete_batch_is_computed_again(undisturbed, job):
    stopped_after(job, 12)
    with (job.out / "partial" / "features.f32").open("rb+") as file:
        file.truncate(4 * 1280 * 10 + 1001)
    assert extracted(job) == [8, 12, 16, 20]
    assert files_of(job.out) == files_of(undisturbed[0].path)


@pytest.mark.parametrize("change", [{"min_count": 1, "max_words": 9}, {"pca": 3}])
def test_features_outlive_other_changes(job, tmp_path, change):
    """Half-done work stands when captions, splits or words become others."""
    stopped_after(job, 12)
    counts = extracted(job.changed(**change))
    assert counts[0] == 16
    once = prepare(job.changed(out=tmp_path / "once", **change), lambda line: None)
    again = open_dataset(job.out)
    for name, split in once.splits.items():
        np.testing.assert_allclose(again.splits[name].features, split.features, atol=1e-4)
    assert again.fingerprint == once.fingerprint


def test_a_changed_image_is_noticed_and_no_other_made_again(troubled, job, tmp_path):
    folder = shutil.copytree(troubled, tmp_path / "changing")
    mine = job_for(folder, tmp_path / "mine")
    stopped_after(mine, 12)
    first = folder / "images" / NAMES[0]
    first.write_bytes((folder / "images" / NAMES[20]).read_bytes())
    (folder / "images" / NAMES[1]).unlink()
    reports = []
    assert extracted(mine, reports.append) == [16, 20]
    assert any("captions without images: 3: " in report for report in reports)
    assert any(f"{NAMES[0]} (train) = {NAMES[20]} (dev)" in report for report in reports)
    split = open_dataset(mine.out).splits
    np.testing.assert_array_equal(split["train"].features[0], split["dev"].features[2])
    assert NAMES[1] not in split["train"].image_ids


@pytest.mark.parametrize("change", [{"size": 96}, {"features": "grid"}, {"dtype": "float16"}])
def test_features_of_another_backbone_are_not_mixed(undisturbed, job, change):
    stopped_after(job, 12)
    before = files_of(job.out / "partial")
    with pytest.raises(InputError) as error:
        prepare(job.changed(**change), lambda line: None)
    message = str(error.value)
    assert message.startswith(
        f"{job.out / 'partial'}: unfinished preparation with efficientnet_lite0"
    )
    assert "images of 224 x 224) in float32, but this one uses efficientnet_lite0" in message
    assert files_of(job.out / "partial") == before
    prepare(job, lambda line: None)
    assert files_of(job.out) == files_of(undisturbed[0].path)


def test_a_folder_partial_that_is_not_ours_is_left_alone(job):
    (job.out / "partial").mkdir(parents=True)
    (job.out / "partial" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="partial: holds files that are not limner's"):
        prepare(job, lambda line: None)
    assert (job.out / "partial" / "thesis.txt").read_text() == "years of work"


def test_two_at_once(job):
    with (
        locked(job.out / "partial" / "lock"),
        pytest.raises(InputError, match="partial: another limner is at work there"),
    ):
        prepare(job, lambda line: None)


def test_out_inside_the_source(troubled, tmp_path):
    """What is made of a folder is not taken for a part of it, half done or whole."""
    folder = shutil.copytree(troubled, tmp_path / "mine")
    inside = PrepareConfig(source=folder, out=folder / "dataset", min_count=2)
    stopped_after(inside, 8)
    dataset = prepare(inside, lambda line: None)
    reports = []
    assert prepare(inside, reports.append).fingerprint == dataset.fingerprint
    assert reports[-1].endswith("prepared already, nothing to do")


def test_out_is_the_source(job):
    before = sorted(job.source.iterdir())
    with pytest.raises(InputError, match="images: contains the images; choose another `out`"):
        prepare(job.changed(out=job.source / "."), lambda line: None)
    assert sorted(job.source.iterdir()) == before


def test_out_is_a_file(job):
    job.out.write_text("mine")
    with pytest.raises(InputError, match="dataset: a file; `out` takes a folder"):
        prepare(job, lambda line: None)
    assert job.out.read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_count": 10_000}, "no word occurs 10000 times.*lower `min_count`"),
        ({"source": "nowhere"}, "nowhere: no such f"),
        ({"source": "elsewhere"}, "elsewhere"),
    ],
)
def test_prepare_refuses_unusable_sources(job, tmp_path, change, message):
    (tmp_path / "elsewhere").mkdir()
    if "source" in change:
        change = {"source": tmp_path / change["source"]}
    with pytest.raises(InputError, match=message):
        prepare(job.changed(**change), lambda line: None)
    assert not (job.out / "dataset.json").exists()


def test_no_image_can_be_read(job, tmp_path):
    (tmp_path / "images").mkdir()
    for name in NAMES:
        (tmp_path / "images" / name).write_text("not an image")
    with pytest.raises(InputError, match="none of its 23 images can be read"):
        prepare(job.changed(source=tmp_path / "images"), lambda line: None)


def test_an_image_that_goes_while_it_works(troubled, job, tmp_path):
    folder = shutil.copytree(troubled, tmp_path / "vanishing")
    mine = job_for(folder, tmp_path / "mine")

    reports = []

    def vanish(line):
        reports.append(line)
        if line.startswith("train: "):
            (folder / "images" / NAMES[7]).unlink()

    dataset = prepare(mine, vanish)
    assert any(NAMES[7] in report and "(left out)" in report for report in reports)
    assert NAMES[7] in dataset.info.skipped
    assert len(dataset.splits["train"].features) == 14
    assert np.isfinite(dataset.splits["train"].features).all()


@pytest.mark.parametrize("keep", ["pooled", "grid", "both"])
def test_principal_components(job, keep):
    """Of the training images alone; kept with the dataset."""
    job = job.changed(features=keep, size=96, dtype="float32")
    reports = []
    dataset = prepare(job.changed(pca=5), reports.append)
    raw = prepare(job.changed(out=job.out.with_name("raw")), lambda line: None)
    for grid in {"pooled": [False], "grid": [True], "both": [False, True]}[keep]:
        ours, theirs = dataset.reading(grid), raw.reading(grid)
        assert ours.has_grid == theirs.has_grid == grid
        train = np.asarray(theirs.splits["train"].features, np.float64)
        rows = train.reshape(-1, train.shape[-1])
        variance = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
        kept = np.asarray(ours.splits["train"].features, np.float64).reshape(-1, 5)
        np.testing.assert_allclose((kept**2).sum(axis=0), variance[:5], rtol=1e-3)
        part = "grid" if grid and keep == "both" else "features"
        share = variance[:5].sum() / variance.sum()
        assert f"{part}: 5 components explain {share:.1%} of the variance" in reports
        dev = ours.projection.project(theirs.splits["dev"].features)
        np.testing.assert_allclose(ours.splits["dev"].features, dev, atol=1e-3)


def test_both_kinds_of_features_from_one_run(job):
    dataset = prepare(job.changed(features="both", size=96, views=1), lambda line: None)
    for grid, keep in ((False, "pooled"), (True, "grid")):
        ours = dataset.reading(grid)
        alone = prepare(
            job.changed(out=job.out.with_name(keep), features=keep, size=96, views=1),
            lambda line: None,
        )
        assert ours.has_grid == grid
        for name, split in alone.splits.items():
            found = ours.splits[name]
            np.testing.assert_allclose(found.features, split.features, atol=0.02, rtol=2e-3)
            assert len(found.views) == len(split.views)
            for view, expected in zip(found.views, split.views, strict=True):
                np.testing.assert_allclose(view, expected, atol=0.02, rtol=2e-3)
    assert dataset.splits["train"].features.dtype == np.float16


# A second process: `limner` as people start it, with what happens to processes.
LIMNER = "import sys; from limner.cli import main; sys.exit(main())"
SLOWLY = (
    "import time; from limner.data.feature_store import FeatureStore as s; once = s.append\n"
    "s.append = lambda *a: time.sleep(0.3) or once(*a)\n"
)
SMALL_FILES = (
    "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\n"
)


BATCHES_OF_FOUR = "import limner.data.preparing.extraction as e; e.BATCH = 4\n"


def command(job, before=""):
    options = [f"--split={name}={path}" for name, path in job.split.items()]
    numbers = ["--min-count", str(job.min_count), "--max-words", str(job.max_words)]
    paths = [str(job.source), "--captions", str(job.captions), "--out", str(job.out)]
    code = BATCHES_OF_FOUR + before + LIMNER
    return [sys.executable, "-c", code, "prepare", *paths, *options, *numbers]


def test_killed_twenty_times_at_random_moments(undisturbed, job):
    """In any phase; whenever it is whole, it is the same, byte for byte, and it begins again."""
    seed = int(time.time())  # other moments every day
    print("seed", seed)
    rng = np.random.default_rng(seed)
    started = time.monotonic()
    subprocess.run(command(job), check=True, capture_output=True)
    whole = time.monotonic() - started
    expected = files_of(undisturbed[0].path)
    finished, kept = 0, set()
    for _ in range(20):
        if (job.out / "dataset.json").exists():
            assert files_of(job.out) == expected
            shutil.rmtree(job.out)
            finished += 1
        process = subprocess.Popen(command(job, SLOWLY), stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.5 * whole, whole + 1.5))
        process.kill()
        process.wait()
        rows = job.out / "partial" / "features.f32"
        kept.add(rows.stat().st_size // (4 * 1280) if rows.exists() else None)
    subprocess.run(command(job), check=True, capture_output=True)
    assert files_of(job.out) == expected
    assert finished or kept != {None}, "all kills came before the work"


@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of a file are POSIX's")
@pytest.mark.parametrize(
    ("size", "file"),
    [
        (20, "partial/plan.json"),
        (31_000, "partial/features.f32"),  # six rows and a bit
        (4 * 1280 * 20 - 1, "partial/features.f32"),
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
    stopped_after(job, 20)
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
