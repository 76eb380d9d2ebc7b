import pytest

from limner.download.catalog import RemoteFile, read_catalog
from limner.errors import InputError

MINE = """
[flickr8k]
title = "mine"
licence = "none"
citation = "nobody"
[[flickr8k.files]]
url = "https://example.org/cats.zip"
unpack = "zip"
keep = ["cats"]
"""


def test_bundled_catalog():
    """Every archive has a known size and checksum but one, of which neither is published."""
    files = {
        (name, file.name): file for name, wanted in read_catalog().items() for file in wanted.files
    }
    assert all(file.url.startswith("https://") and file.keep for file in files.values())
    unknown = [key for key, file in files.items() if not (file.bytes and (file.sha256 or file.md5))]
    assert unknown == [("coco-captioning", "coco_captioning.zip")]
    assert sum(file.bytes or 0 for (name, _), file in files.items() if name == "coco2014") == (
        252_872_794 + 36_745_453 + 6_645_013_297 + 13_510_573_713
    )


def test_a_catalogue_of_ones_own_replaces_by_name(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE + MINE.replace("flickr8k", "cats"))
    known = read_catalog(path)
    assert sorted(known) == ["cats", "coco-captioning", "coco2014", "flickr30k", "flickr8k"]
    assert known["flickr8k"].title == "mine"
    assert known["flickr30k"] == read_catalog()["flickr30k"]


WRONG = {
    "title = 3": "Expected `str`, got `int` - at `$[...].title`",
    "sice = 3": "unknown field `sice`",
    "bytes = 0": "Expected `int` >= 1",
    'sha256 = "abc"': "matching regex",
    'md5 = "abc"': "matching regex",
    'unpack = "rar"': "Invalid enum value 'rar'",
    'keep = ["../cats"]': "'../cats' of https://example.org/cats.zip is no plain name",
    'keep = [".."]': "'..' of",
    'keep = ["/cats"]': "'/cats' of",
    "keep = ['C:cats']": "'C:cats' of",
    "keep = []": "keep says what is kept of an archive",
    'url = "ftp://example.org/cats.zip"': "only http and https addresses are fetched",
    'url = "file:///etc/passwd"': "only http and https addresses are fetched",
    'url = "https://example.org/a cat.zip"': "only http and https addresses are fetched",
    'url = "https://example.org/"': "'' of https://example.org/ is no plain name",
    'url = "https://example.org/.."': "'..' of",
    "url =": "correct the file",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_mistake_is_one_line(tmp_path, line):
    key = line.split(" ")[0]
    lines = MINE.splitlines()
    at = next((i for i, old in enumerate(lines) if old.startswith(key)), len(lines))
    (tmp_path / "mine.toml").write_text("\n".join([*lines[:at], line, *lines[at + 1 :]]))
    with pytest.raises(InputError) as raised:
        read_catalog(tmp_path / "mine.toml")
    (message,) = str(raised.value).splitlines()
    assert message.startswith(f"{tmp_path / 'mine.toml'}: ")
    assert WRONG[line] in message
    assert message.endswith("correct the file, docs/download.md has its keys")


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"no.toml: cannot be read .*; check the path"):
        read_catalog(tmp_path / "no.toml")


def test_two_files_of_one_name_are_refused(tmp_path):
    again = MINE[MINE.index("[[") :]
    (tmp_path / "mine.toml").write_text(MINE + again)
    with pytest.raises(InputError, match=r"cats\.zip comes from two files"):
        read_catalog(tmp_path / "mine.toml")


def test_a_file_is_in_a_folder_with_all_that_is_kept_of_it(tmp_path):
    file = RemoteFile(url="https://example.org/a.zip", unpack="zip", keep=("cats", "dogs"))
    (tmp_path / "cats").mkdir()
    assert not file.is_in(tmp_path)
    (tmp_path / "dogs").mkdir()
    assert file.is_in(tmp_path)
    assert not RemoteFile(url="https://example.org/a.txt").is_in(tmp_path)
