import errno
import os
import stat
import sys

import pytest

from limner.errors import InputError, LimnerError
from limner.io import atomic_folder, atomic_path, check_space, locked, write_atomically


def test_writes_text_and_bytes(tmp_path):
    write_atomically(tmp_path / "new" / "a.txt", "é")
    write_atomically(tmp_path / "b.bin", b"\x00\x01")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "é".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\x01"


def test_an_error_inside_keeps_the_old_file(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")

    def fail():
        with atomic_path(file) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        LimnerError, match=r"file/a\.txt: cannot be written \(.*\), and is unchanged"
    ):
        write_atomically(tmp_path / "file" / "a.txt", "x")


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write_atomically(tmp_path / "ours", "")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )


def test_more_than_the_disk_holds(tmp_path):
    check_space(tmp_path / "new" / "folder", 1)
    with pytest.raises(LimnerError, match=r"folder: 1000000000\.0 GB are needed and [\d.]+ GB are"):
        check_space(tmp_path / "new" / "folder", 10**18)


def test_atomic_folder_is_complete_or_missing(tmp_path):
    new = tmp_path / "a" / "new"

    def fail():
        with atomic_folder(new) as folder:
            (folder / "half.txt").write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert list(new.parent.iterdir()) == []
    with atomic_folder(new) as folder:
        (folder / "whole.txt").write_text("whole")
        assert not new.exists()
    assert list(new.parent.iterdir()) == [new]
    assert (new / "whole.txt").read_text() == "whole"


def test_a_folder_that_is_there_stays(tmp_path):
    new = tmp_path / "new"
    new.mkdir()
    (new / "mine.txt").write_text("mine")
    with pytest.raises(LimnerError, match="new: cannot be written"), atomic_folder(new):
        pass
    assert (new / "mine.txt").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [new]


def test_a_lock_keeps_others_out_until_the_block_ends(tmp_path, caplog):
    path = tmp_path / "new" / "lock"
    with (
        locked(path),
        pytest.raises(InputError, match="new: another limner is at work there; wait"),
        locked(path),
    ):
        pass
    assert not path.exists()
    with locked(path):
        assert path.exists()
    assert caplog.messages == []


@pytest.mark.skipif(sys.platform == "win32", reason="locks of Unix")
def test_a_file_system_without_locks_is_worth_a_line(tmp_path, monkeypatch, caplog):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    done = []
    with locked(tmp_path / "lock"):
        done.append(True)
    assert done
    assert caplog.messages == [
        f"{tmp_path}: no locks on this file system; run one limner at a time there"
    ]
    assert not list(tmp_path.iterdir())


def test_a_lock_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LimnerError, match="cannot be written"), locked(tmp_path / "file/lock"):
        pass
