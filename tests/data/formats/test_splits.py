import pytest

from limner.data.formats import read_source, read_split_files, split_by_ratio
from limner.data.formats.splits import split_of_file
from limner.errors import InputError


@pytest.fixture
def write(tmp_path):
    """Writes a file of a split and gives its path."""

    def write(content, name):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_split_files(write):
    splits = read_split_files(
        {
            "train": write("b.jpg\r\n a.jpg \r\n\r\nb.jpg\r\n", "train.txt"),
            "dev": write("\ufeffc #1.jpg", "dev.txt"),
        }
    )
    assert splits == {"train": ["b.jpg", "a.jpg"], "dev": ["c #1.jpg"]}


def test_an_image_in_two_splits(write):
    files = {"train": write("a.jpg\nb.jpg\n", "train.txt"), "dev": write("c.jpg\nb.jpg\n", "d.txt")}
    with pytest.raises(InputError, match=r"d\.txt: b\.jpg is in the split train already"):
        read_split_files(files)


def test_splits_need_training_images(write):
    with pytest.raises(InputError, match="no split train"):
        read_split_files({"dev": write("a.jpg\n", "dev.txt")})


def test_a_split_file_that_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"train\.txt: no such file"):
        read_split_files({"train": tmp_path / "train.txt"})


RATIO = {"train": 80.0, "dev": 10.0, "test": 10.0}
NAMES = [f"{i}.jpg" for i in range(60)]


def test_split_by_ratio_shares_everything_out_once():
    splits = split_by_ratio(NAMES, RATIO, seed=3)
    assert {name: len(images) for name, images in splits.items()} == {
        "train": 48,
        "dev": 6,
        "test": 6,
    }
    assert sorted(image for images in splits.values() for image in images) == sorted(NAMES)


def test_split_by_ratio_depends_on_the_seed_alone():
    first = split_by_ratio(NAMES, RATIO, seed=3)
    assert split_by_ratio(NAMES[::-1], RATIO, seed=3) == first
    assert split_by_ratio(NAMES, RATIO, seed=4)["dev"] != first["dev"]


def test_split_by_ratio_leaves_out_empty_splits():
    splits = split_by_ratio(NAMES[:5], {"train": 90, "dev": 10, "test": 0}, seed=0)
    assert {name: len(images) for name, images in splits.items()} == {"train": 4, "dev": 1}
    assert sorted(splits["train"] + splits["dev"]) == NAMES[:5]


def test_too_few_images_to_split():
    with pytest.raises(InputError, match="2 images are too few for a split"):
        split_by_ratio(NAMES[:2], {"train": 8, "dev": 1, "test": 1}, seed=0)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Flickr_8k.trainImages.txt", "train"),
        ("flickr30k_test.txt", "test"),
        ("captions_val2017.json", "val"),
        ("my-validation.csv", "val"),
        ("TRAIN_0001.tar", "train"),
        ("contest.txt", None),
        ("latest_interval.csv", None),
        ("train_and_test.csv", None),
    ],
)
def test_split_name_from_file_name(name, split):
    assert split_of_file(name) == split


@pytest.mark.parametrize("name", ["../z", "x/y", "/tmp/abs", "two words", "."])
def test_names_of_splits_that_are_no_names_of_files(tmp_path, name):
    """A dataset's files are named for them."""
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "c.csv").write_text(f"image,caption,split\na.jpg,a dog,train\na.jpg,b,{name}\n")
    with pytest.raises(InputError, match=r"c\.csv: a split named .*; name it with letters"):
        read_source(tmp_path)
