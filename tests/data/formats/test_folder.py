import os

import pytest

from limner.data.formats.folder import list_folder
from limner.errors import InputError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_list_folder_separates_images_and_other_files(tmp_path):
    touch(tmp_path, "b/2.PNG", "a 1.jpg", "notes.txt", "Thumbs.db", "._a 1.jpg", ".git/x.jpg")
    touch(tmp_path, "__MACOSX/a 1.jpg", "b/.DS_Store")
    folder = list_folder(tmp_path)
    assert folder.image_files == {"a 1.jpg": tmp_path / "a 1.jpg", "b/2.PNG": tmp_path / "b/2.PNG"}
    assert folder.others == {"notes.txt": tmp_path / "notes.txt"}
    assert folder.problems.lines() == []
    assert folder.below() == folder


def test_the_folder_that_holds_all_the_images(tmp_path):
    touch(tmp_path, "data/images/x/1.jpg", "data/images/y/2.jpg", "captions.csv")
    below = list_folder(tmp_path).below()
    assert below.path == tmp_path / "data" / "images"
    assert below.image_files == {n: below.path / n for n in ("x/1.jpg", "y/2.jpg")}


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "real/1.jpg", "here/2.jpg")
    (tmp_path / "here" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "here" / "up").symlink_to(tmp_path / "here")
    assert list(list_folder(tmp_path / "here").image_files) == ["2.jpg", "link/1.jpg"]


def test_unusable_names_are_reported(tmp_path):
    touch(tmp_path, "a.jpg", "two\nlines.jpg")
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).touch()
    folder = list_folder(tmp_path)
    assert list(folder.image_files) == ["a.jpg"]
    first, second = folder.problems.lines()
    assert first.endswith(r"'caf\udce9.jpg'; rename it")
    assert second.endswith(r"'two\nlines.jpg'; rename it")


def test_a_file_and_nothing(tmp_path):
    touch(tmp_path, "a.jpg")
    with pytest.raises(InputError, match="a file, expected a folder"):
        list_folder(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="no such folder"):
        list_folder(tmp_path / "b")
