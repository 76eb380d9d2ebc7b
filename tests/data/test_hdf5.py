import subprocess
import sys

import h5py
import numpy as np
import pytest

from limner.data.hdf5 import h5_writer
from limner.errors import LimnerError

ARRAYS = {f"array {number}": np.arange(480).reshape(60, 8) + number for number in range(4)}


def write(path):
    with h5_writer(path) as file:
        for name, array in ARRAYS.items():
            file[name] = array


def test_round_trip(tmp_path):
    write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert sorted(file) == sorted(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(file[name], array)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    write(tmp_path / "a.h5")
    write(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_an_error_inside_leaves_what_was_there(tmp_path):
    write(tmp_path / "a.h5")
    before = (tmp_path / "a.h5").read_bytes()

    def fail():
        with h5_writer(tmp_path / "a.h5") as file:
            file["x"] = np.zeros(3)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert (tmp_path / "a.h5").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LimnerError, match=r"a\.h5: cannot be written"):
        write(tmp_path / "file" / "a.h5")


# HDF5's own answer to a full disk is a segmentation fault, some of it while the process ends.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from limner.data.hdf5 import h5_writer
from limner.errors import LimnerError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    with h5_writer(Path(sys.argv[1])) as file:
        for number in range(4):
            file[f"array {number}"] = np.arange(480).reshape(60, 8)
except LimnerError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of a file are POSIX's")
@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.8, 0.9999])
def test_a_full_disk_is_an_error(tmp_path, share):
    write(tmp_path / "whole.h5")
    size = str(int((tmp_path / "whole.h5").stat().st_size * share))
    path = tmp_path / "a.h5"
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), size],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.startswith(f"{path}: cannot be written (File too large)")
    assert [path.name for path in tmp_path.iterdir()] == ["whole.h5"]
