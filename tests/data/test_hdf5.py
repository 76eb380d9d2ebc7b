import io
import subprocess
import sys
import tracemalloc

import h5py
import numpy as np
import pytest

from limner.data.hdf5 import h5_writer, map_features, read_arrays
from limner.errors import InputError, LimnerError

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


def test_an_error_inside_keeps_the_old_file(tmp_path):
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
from limner.data.hdf5 import h5_writer, map_features
from limner.errors import InputError, LimnerError

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


@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4", "f8"])
def test_any_float_is_mapped(tmp_path, rng, dtype):
    expected = rng.standard_normal((7, 5)).astype(dtype)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["features"] = expected
    features = map_features(tmp_path / "f.h5")
    assert isinstance(features, np.memmap)
    np.testing.assert_array_equal(features, expected)


@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4"])
@pytest.mark.parametrize(
    "how",
    [
        {"chunks": (3, 2)},
        {"compression": "gzip"},
        {"chunks": (7, 5), "shuffle": True},
        {"chunks": (1, 5), "compression": "gzip"},
    ],
)
@pytest.mark.parametrize("unpacked", [1, 45, 4_000_000])
def test_features_in_chunks_are_unpacked_and_mapped(
    tmp_path, rng, how, dtype, unpacked, monkeypatch
):
    monkeypatch.setattr("limner.data.hdf5.UNPACKED", unpacked)
    expected = rng.standard_normal((7, 5)).astype(dtype)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("features", data=expected, **how)
    before = sorted(tmp_path.iterdir())
    features = map_features(tmp_path / "f.h5")
    assert isinstance(features, np.memmap)
    assert not features.flags.writeable
    assert features.dtype == dtype
    np.testing.assert_array_equal(features, expected)
    assert sorted(tmp_path.iterdir()) == before


def test_unpacking_leaves_no_file_and_keeps_one_row_of_chunks_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    N, D = 4000, 1000  # 16 MB
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("features", (N, D), "f4", fillvalue=0.5, chunks=(50, D))
    tracemalloc.start()
    features = map_features(tmp_path / "f.h5")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 9e6
    assert features.shape == (N, D)
    assert features.min() == features.max() == 0.5
    assert not list((tmp_path / "temporary").iterdir())


def test_a_disk_too_full_to_unpack(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("features", (100, 5), "f4", compression="gzip")
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))

    def full(self, *args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", type("Full", (io.BytesIO,), {"write": full}))
    with pytest.raises(LimnerError) as error:
        map_features(tmp_path / "f.h5")
    assert str(error.value).startswith(f"{place}: cannot be written (No space left on device)")
    assert "\n" not in str(error.value)


def test_damaged_chunks(tmp_path, rng):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        features = file.create_dataset(
            "features", data=rng.standard_normal((40, 50)), chunks=(10, 50), compression="gzip"
        )
        place = features.id.get_chunk_info(2).byte_offset
    with (tmp_path / "f.h5").open("rb+") as raw:
        raw.seek(place)
        raw.write(bytes(200))
    with pytest.raises(InputError, match=r"f\.h5: damaged or truncated .*; prepare the dataset"):
        map_features(tmp_path / "f.h5")


def test_features_of_no_image(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("features", (0, 5), "f4")
    assert map_features(tmp_path / "f.h5").shape == (0, 5)


def test_reading_asks_for_no_lock(tmp_path):
    """A file system may have none; here somebody else holds it, to the same effect."""
    fcntl = pytest.importorskip("fcntl")
    write(tmp_path / "a.h5")
    with (tmp_path / "a.h5").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (found,) = read_arrays(tmp_path / "a.h5", "array 1")
    np.testing.assert_array_equal(found, ARRAYS["array 1"])
