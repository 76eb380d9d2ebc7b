"""Archives, good ones and such as somebody makes to do harm."""

import io
import stat
import struct
import tarfile
import zipfile

import pytest

from limner.download.unpack import unpack
from limner.errors import LimnerError

GOOD = {"cats/tom.txt": b"a cat", "cats/deep/er/kit.txt": b"a kitten", "list.txt": b"tom\nkit\n"}


def make_zip(path, members, mode=0, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, content)


def make_tar(path, members, kind=tarfile.REGTYPE, link=""):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            file.addfile(info, io.BytesIO(content))


MAKERS = {"zip": make_zip, "tar": make_tar}


@pytest.fixture(params=MAKERS)
def kind(request):
    return request.param


@pytest.fixture
def place(tmp_path):
    (tmp_path / "outside.txt").write_text("as it was")
    return tmp_path


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(archive, kind, message, keep=("cats",)):
    """The archive is refused in one line, and nothing of it is anywhere."""
    folder = archive.parent / "data"
    before = contents(archive.parent)
    with pytest.raises(LimnerError) as raised:
        unpack(archive, kind, folder, keep)
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{archive}: ")
    assert message in line
    assert contents(archive.parent) == before
    assert not list(folder.glob("*"))
    assert not list(folder.glob(".*"))


def test_wanted_files_are_unpacked(place, kind):
    MAKERS[kind](place / "a", [*GOOD.items(), ("__MACOSX/cats/._tom.txt", b"no cat")])
    seen = []
    unpack(place / "a", kind, place / "data", ["cats", "list.txt"], lambda *n: seen.append(n))
    assert contents(place / "data") == GOOD
    assert seen[-1] == (21, 21)


def test_existing_files_are_kept(place, kind):
    MAKERS[kind](place / "a", GOOD.items())
    (place / "data").mkdir()
    (place / "data" / "list.txt").write_bytes(b"mine")
    unpack(place / "a", kind, place / "data", ["cats", "list.txt"])
    assert contents(place / "data") == GOOD | {"list.txt": b"mine"}


def test_unpacked_files_are_not_unpacked_again(place, kind):
    (place / "data" / "cats").mkdir(parents=True)
    unpack(place / "absent", kind, place / "data", ["cats"])  # the archive is not even opened


def test_files_of_a_killed_process_are_removed(place, kind):
    MAKERS[kind](place / "a", GOOD.items())
    (place / "data" / ".a.unpacking" / "cats").mkdir(parents=True)
    (place / "data" / ".a.unpacking" / "cats" / "half.txt").write_text("hal")
    unpack(place / "a", kind, place / "data", ["cats"])
    assert contents(place / "data") == {k: v for k, v in GOOD.items() if k != "list.txt"}
    assert [path.name for path in (place / "data").iterdir()] == ["cats"]


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "cats/../../outside.txt",
        "cats/..",
        "/tmp/outside.txt",
        "//server/outside.txt",
        "C:/outside.txt",
        "C:outside.txt",
        "cats/tom.txt:stream",
        "..\\outside.txt",
        "cats\\..\\..\\outside.txt",
        "cats/new\nline.txt",
    ],
)
def test_names_that_lead_out(place, kind, name):
    MAKERS[kind](place / "a", [*GOOD.items(), (name, b"evil")])
    refused(place / "a", kind, "leads out of the folder")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cats/tom.txt", "cats/TOM.TXT"),
        ("cats/tom.txt", "CATS/kit.txt"),
        ("cats/caf\u00e9.txt", "cats/cafe\u0301.txt"),
        ("cats/tom", "cats/tom/kit.txt"),
        ("cats/tom/kit.txt", "cats/tom"),
        ("cats/tom.txt", "./cats//tom.txt"),
    ],
)
def test_names_of_one_file(place, kind, one, other):
    MAKERS[kind](place / "a", [(one, b"a"), (other, b"b")])
    refused(place / "a", kind, "would be the same file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(place, kind):
    MAKERS[kind](place / "a", [("cats/tom.txt", b"a"), ("cats/tom.txt", b"b")])
    refused(place / "a", kind, "would be the same file")


def test_folders_may_be_named_twice(place):
    members = [("cats/", b""), ("cats/", b""), ("cats/tom.txt", b"a cat")]
    with pytest.warns(UserWarning, match="Duplicate name"):
        make_zip(place / "a.zip", members)
    unpack(place / "a.zip", "zip", place / "data", ["cats"])
    assert contents(place / "data") == {"cats/tom.txt": b"a cat"}


@pytest.mark.parametrize("type_", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip(place, type_):
    make_zip(place / "a.zip", [("cats/link", b"../../outside.txt")], mode=type_ | 0o777)
    refused(place / "a.zip", "zip", "'cats/link' is a link or a device")


@pytest.mark.parametrize(
    "type_", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
@pytest.mark.parametrize("link", ["../outside.txt", "/etc/passwd", "tom.txt"])
def test_links_and_devices_in_a_tar(place, type_, link):
    make_tar(place / "a.tar", [("cats/link", b"")], type_, link)
    refused(place / "a.tar", "tar", "'cats/link' is a link or a device")


def test_a_sparse_file_in_a_tar(place):
    """Its map may say more than its size; `tar --sparse` makes such files."""
    make_tar(place / "a.tar", [("cats/holes.bin", b"")], tarfile.GNUTYPE_SPARSE)
    refused(place / "a.tar", "tar", "'cats/holes.bin' is a link or a device, or sparse")


def test_a_bomb(place, kind):
    MAKERS[kind](place / "a", [("cats/big.bin", bytes(30_000_000))])
    assert (place / "a").stat().st_size < 50_000
    refused(place / "a", kind, "it unpacks to more than 1,")


def test_a_bomb_of_many(place, kind):
    MAKERS[kind](place / "a", [(f"cats/{i}.bin", bytes(900_000)) for i in range(4)])
    refused(place / "a", kind, "it unpacks to more than 1,")


def test_a_bomb_that_lies_about_its_size(place):
    """What the archive declares is 10 bytes, and no more than that is ever written."""
    make_zip(place / "a.zip", [("cats/big.bin", bytes(30_000_000))])
    data = bytearray((place / "a.zip").read_bytes())
    real, lie = struct.pack("<I", 30_000_000), struct.pack("<I", 10)
    assert data.count(real) == 2  # beside the file, and in the list at the end
    (place / "a.zip").write_bytes(data.replace(real, lie))
    refused(place / "a.zip", "zip", "damaged (Bad CRC-32 for file 'cats/big.bin')")


def test_an_encrypted_zip(place):
    make_zip(place / "a.zip", [("cats/tom.txt", b"a cat")])
    data = bytearray((place / "a.zip").read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (place / "a.zip").write_bytes(data)
    refused(place / "a.zip", "zip", "'cats/tom.txt' is encrypted")


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.95])
def test_a_truncated_archive(place, kind, keep, rng):
    MAKERS[kind](place / "a", [(f"cats/{i}.bin", rng.bytes(30_000)) for i in range(4)])
    data = (place / "a").read_bytes()
    (place / "a").write_bytes(data[: int(keep * len(data))])
    refused(place / "a", kind, "damaged (")


def test_a_damaged_member(place, kind, rng):
    MAKERS[kind](place / "a", [(f"cats/{i}.bin", rng.bytes(30_000)) for i in range(4)])
    data = bytearray((place / "a").read_bytes())
    data[50_000] ^= 255
    (place / "a").write_bytes(data)
    refused(place / "a", kind, "damaged (")


def test_no_archive_at_all(place, kind):
    (place / "a").write_bytes(b"<html>please log in</html>" * 50)
    refused(place / "a", kind, "damaged (")


def test_another_archive(place, kind):
    MAKERS[kind](place / "a", GOOD.items())
    refused(place / "a", kind, "no dogs in it", keep=("cats", "dogs"))


def test_a_folder_that_cannot_be_written(place, kind):
    MAKERS[kind](place / "a", GOOD.items())
    with pytest.raises(LimnerError, match=r"outside.txt.*: cannot be written"):
        unpack(place / "a", kind, place / "outside.txt", ["cats"])
    assert (place / "outside.txt").read_text() == "as it was"
