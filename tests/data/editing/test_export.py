"""What is exported says the same as the dataset, to others' readers and to our own."""

import io
import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from limner.data.editing.export import export_coco, export_jsonl, export_webdataset
from limner.data.formats import FORMATS, read_source
from limner.data.opening import open_dataset
from limner.data.schema import DatasetInfo, SourceInfo
from limner.errors import InputError, LimnerError
from limner.evaluation.result_files import read_references


@pytest.fixture(scope="module")
def data(tiny_dataset):
    return open_dataset(tiny_dataset)


def renamed(data, names):
    """The same dataset under other names: {old: new}."""
    splits = {
        name: replace(split, image_ids=tuple(names.get(i, i) for i in split.image_ids))
        for name, split in data.splits.items()
    }
    references = {
        split: {names.get(i, i): texts for i, texts in images.items()}
        for split, images in data.references.items()
    }
    return replace(data, splits=splits, references=references)


def samples(shard):
    with tarfile.open(shard) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_coco_has_every_caption_under_its_image(data, tmp_path):
    files = export_coco(data, tmp_path / "coco")
    assert [file.name for file in files] == [f"captions_{name}.json" for name in data.splits]
    image_ids, caption_ids = [], []
    for file, (split, expected) in zip(files, data.references.items(), strict=True):
        content = json.loads(file.read_text("utf-8"))
        names = {image["id"]: image["file_name"] for image in content["images"]}
        found = {name: [] for name in names.values()}
        for row in content["annotations"]:
            found[names[row["image_id"]]].append(row["caption"])
        assert found == expected
        assert read_references(file) == {str(i): expected[name] for i, name in names.items()}
        image_ids += names
        caption_ids += [row["id"] for row in content["annotations"]]
        assert split in content["info"]["description"]
    assert sorted(image_ids) == list(range(1, 25))
    assert sorted(caption_ids) == list(range(1, len(caption_ids) + 1))


def test_cocos_own_tools_read_it(data, tmp_path, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    file = export_coco(data, tmp_path / "coco")[0]
    annotations = coco.COCO(str(file))
    for number, image in annotations.imgs.items():
        texts = [row["caption"] for row in annotations.imgToAnns[number]]
        assert texts == data.references["train"][image["file_name"]]


def test_cocos_own_numbers_stay(data, tmp_path):
    images = [image for split in data.splits.values() for image in split.image_ids]
    names = {image: f"COCO_val2014_{7 * n:012d}.jpg" for n, image in enumerate(images)}
    file = export_coco(renamed(data, names), tmp_path / "coco")[0]
    content = json.loads(file.read_text("utf-8"))
    assert [image["id"] for image in content["images"]] == [7 * n for n in range(20)]


def test_json_lines(data, tmp_path):
    [file] = export_jsonl(data, tmp_path / "all.jsonl")
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    found = {split: {} for split in data.references}
    for row in rows:
        found[row["split"]][row["image"]] = row["captions"]
    assert found == data.references
    everything = {i: texts for images in data.references.values() for i, texts in images.items()}
    assert read_references(file) == everything


def test_shards_have_the_images_bytes_and_the_captions(data, drawn, tmp_path):
    files, gone = export_webdataset(data, tmp_path / "shards", shard_size=8)
    assert gone == {}
    assert [file.name for file in files if "train" in file.name] == [
        "train-000000.tar",
        "train-000001.tar",
        "train-000002.tar",
    ]
    for split, expected in data.references.items():
        found, order = {}, []
        for file in (file for file in files if file.name.startswith(split)):
            members = samples(file)
            assert len(members) <= 16
            for name, content in members.items():
                if name.endswith(".jpg"):
                    assert content == (drawn / "images" / name).read_bytes()
                    found[name] = json.loads(members[name.replace(".jpg", ".json")])["captions"]
                    order.append(name)
        assert found == expected
        assert order == sorted(order)


def test_the_same_dataset_gives_the_same_bytes(data, tmp_path):
    for write in (export_coco, export_webdataset):
        folders = [tmp_path / f"{write.__name__}{number}" for number in (0, 1)]
        for folder in folders:
            write(data, folder)
        first, second = ({f.name: f.read_bytes() for f in folder.iterdir()} for folder in folders)
        assert first == second


def test_names_that_are_hard_on_a_tar_file(data, drawn, tmp_path):
    """Dots, folders, Unicode, more than 100 characters, two endings of one name."""
    hard = ["a.b.jpg", "ordner/hünd.jpg", f"{'x' * 120}.jpg", "same.jpg", "same.png"]
    train = data.splits["train"].image_ids
    names = dict(zip(train, hard, strict=False))
    images = tmp_path / "images"
    for old in train:
        new = images / names.get(old, old)
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes((drawn / "images" / old).read_bytes())
    moved = renamed(data, names)
    moved = replace(moved, info=DatasetInfo(source=SourceInfo(images=str(images))))
    [train_shard, *_], _ = export_webdataset(moved, tmp_path / "shards")
    members = samples(train_shard)
    keys = ["a_b.jpg", "ordner/hünd.jpg", f"{'x' * 120}.jpg", "same.jpg", "same_png.png"]
    for old, name, key in zip(train, hard, keys, strict=False):
        assert members[key] == (drawn / "images" / old).read_bytes()
        facts = json.loads(members[f"{key.rpartition('.')[0]}.json"])
        assert facts == {"image": name, "captions": data.references["train"][old]}


def test_images_that_are_gone_are_left_out_by_name(data, drawn, tmp_path):
    some = data.splits["train"].image_ids[:3]
    images = tmp_path / "images"
    images.mkdir()
    for image in some:
        (images / image).write_bytes((drawn / "images" / image).read_bytes())
    moved = replace(data, info=DatasetInfo(source=SourceInfo(images=str(images))))
    files, gone = export_webdataset(moved, tmp_path / "shards")
    assert [file.name for file in files] == ["train-000000.tar"]
    assert len(gone) == 21
    assert not set(some) & gone.keys()
    (images / some[0]).unlink()
    (images / some[1]).unlink()
    (images / some[2]).unlink()
    with pytest.raises(InputError, match="none of the images is there any more"):
        export_webdataset(moved, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_export_writes_features_without_images(data, tmp_path):
    bare = replace(data, info=DatasetInfo(source=SourceInfo(format="features")))
    files, _ = export_webdataset(bare, tmp_path / "shards")
    members = {name: part for file in files for name, part in samples(file).items()}
    for split in bare.splits.values():
        for image, row in zip(split.image_ids, split.features, strict=True):
            found = np.load(io.BytesIO(members[image.replace(".jpg", ".npy")]))
            np.testing.assert_array_equal(found, row)


@pytest.mark.parametrize("write", [export_coco, export_jsonl, export_webdataset])
def test_nothing_is_overwritten(data, tmp_path, write):
    (tmp_path / "there").write_text("mine")
    with pytest.raises(InputError, match="there: exists already"):
        write(data, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("write", [export_coco, export_webdataset])
def test_a_folder_that_cannot_be_made(data, tmp_path, write):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LimnerError, match="cannot be written"):
        write(data, tmp_path / "file" / "out")


@pytest.mark.parametrize("format", ["table", "coco", "webdataset"])
def test_exported_dataset_can_be_prepared(data, drawn, tmp_path, format):
    if format not in FORMATS or "coco" not in FORMATS:
        pytest.skip(f"this limner does not read {format} as it is exported")
    if format == "webdataset":
        export_webdataset(data, tmp_path / "out", shard_size=8)
        source = read_source(tmp_path / "out")
    else:
        write, out = {
            "table": (export_jsonl, tmp_path / "all.jsonl"),
            "coco": (export_coco, tmp_path / "out"),
        }[format]
        write(data, out)
        source = read_source(out, images=drawn / "images")
    assert source.problems == []
    for split, images in data.references.items():
        found = {image: source.captions[image] for image in source.splits[split]}
        assert found == images
        assert all(image in source.image_files for image in images)
