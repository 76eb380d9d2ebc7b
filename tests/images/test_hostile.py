"""Images that were made to do harm: one line or an image, in time, and in little memory.

They are opened in a process of their own, whose clock and memory are watched.
"""

import json
import os
import re
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.hostile.good import good_images
from data.hostile.images import HOSTILE
from limner.images.images import FORMATS

SECONDS = 10
MEGABYTES = 500

OPENER = r"""
import json, re, resource, sys
from pathlib import Path
from limner.images.images import load_image
from limner.errors import InputError
for line in sys.stdin:
    path, hint = json.loads(line)
    try:
        found = load_image(path, size_hint=hint)
        outcome = {"mode": found.mode, "size": found.size}
        del found
    except InputError as error:
        outcome = {"refused": str(error)}
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss begins with the peak of the process that started this one
        peak = 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**outcome, "megabytes": peak / 1e6}), flush=True)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="memory is measured as POSIX does")


class Opener:
    """A process that opens one image after the other."""

    def __init__(self):
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def open(self, path, hint=None):
        """What became of it; fails where it takes too long, too much, or the process ends."""
        watch = threading.Timer(SECONDS, self.process.kill)
        watch.start()
        print(json.dumps([str(path), hint]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        watch.cancel()
        if not answer:
            status = self.process.wait()
            self.start()
            pytest.fail(f"killed after {SECONDS} seconds, or crashed: status {status}")
        outcome = json.loads(answer)
        if outcome["megabytes"] > MEGABYTES / 2:  # the peak is known until the process ends
            self.close()
            self.start()
        assert outcome["megabytes"] <= MEGABYTES
        return outcome

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def opener():
    found = Opener()
    yield found
    found.close()


def is_one_line_with_advice(message, path):
    return re.fullmatch(re.escape(str(path)) + ": .+; .+", message) is not None


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_images(name, opener, tmp_path):
    make, expected = HOSTILE[name]
    path = tmp_path / "image.jpg"
    path.write_bytes(make())
    whole, small = opener.open(path), opener.open(path, hint=448)
    for outcome in (whole, small):
        if "refused" in outcome:
            assert is_one_line_with_advice(outcome["refused"], path)
        else:
            assert outcome["mode"] == "RGB"
    if isinstance(expected, tuple):
        assert tuple(whole["size"]) == expected
        assert "size" in small
    elif expected:
        assert expected in whole["refused"]


def test_there_are_enough_of_them():
    assert len(HOSTILE) >= 40


PLACES = {
    # what stands where the image should, and what is said of it
    "fifo": (os.mkfifo, "not an ordinary file"),
    "zeros without end": (lambda path: path.symlink_to("/dev/zero"), "not an ordinary file"),
    "itself": (lambda path: path.symlink_to(path), "cannot be opened"),
    "folder": (lambda path: path.mkdir(), "a folder, not an image"),
    "sparse": (
        lambda path: os.truncate(path, 0) if path.exists() else sparse(path),
        "not an image",
    ),
    "a\nline": (lambda path: path.write_text("text"), "not an image"),
    "nobody": (lambda path: None, "no such file"),
}


def sparse(path):
    """A terabyte that takes no room."""
    with path.open("wb") as file:
        file.truncate(2**40)


@pytest.mark.parametrize("name", PLACES)
def test_paths_that_are_not_regular_files(name, opener, tmp_path):
    make, expected = PLACES[name]
    path = tmp_path / name
    make(path)
    outcome = opener.open(path)
    assert is_one_line_with_advice(outcome["refused"], str(path).replace("\n", "\\n"))
    assert expected in outcome["refused"]


def test_a_name_with_a_nul(opener):
    assert opener.open("a\0b.jpg")["refused"] == (
        "a\\x00b.jpg: cannot be opened (embedded null byte); check the name"
    )


def test_a_file_that_grows_while_it_is_read(opener, tmp_path):
    path = tmp_path / "growing.ppm"
    path.write_bytes(b"P6 #")
    done = threading.Event()

    def grow():
        with path.open("ab") as file:
            while not done.is_set() and file.tell() < 200_000_000:
                file.write(b"x" * 1_000_000)
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    outcome = opener.open(path)
    done.set()
    thread.join()
    # the reader may be at the end before the writer is
    assert re.search("header too long|the image is damaged", outcome["refused"])


GOOD = good_images()


@st.composite
def damaged(draw):
    """A good image whose bytes were flipped, put in, taken out, cut off and mixed."""
    content = bytearray(GOOD[draw(st.sampled_from(sorted(GOOD)))])
    for _ in range(draw(st.integers(1, 5))):
        # The header is where a changed byte does most; half of the changes go there.
        place = draw(st.integers(0, 63) | st.integers(0, 4000)) % (len(content) + 1)
        end = place + draw(st.integers(1, 40))
        match draw(st.sampled_from(["flip", "insert", "delete", "truncate", "splice"])):
            case "flip":
                content[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "insert":
                content[place:place] = draw(st.binary(min_size=1, max_size=8))
            case "delete":
                del content[place:end]
            case "truncate":
                del content[max(place, 1) :]
            case "splice":
                other = GOOD[draw(st.sampled_from(sorted(GOOD)))]
                content[place:end] = other[place:end]
    return bytes(content)


def test_good_images_are_of_every_format(opener, tmp_path):
    path = tmp_path / "image"
    for content in GOOD.values():
        path.write_bytes(content)
        assert opener.open(path)["mode"] == "RGB"
    assert FORMATS == ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")


@settings(
    max_examples=1000,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=damaged(), hint=st.sampled_from([None, 8]))
def test_damaged_images(opener, tmp_path, content, hint):
    path = tmp_path / "image.jpg"
    path.write_bytes(content)
    outcome = opener.open(path, hint)
    if "refused" in outcome:
        assert is_one_line_with_advice(outcome["refused"], path)
    else:
        assert outcome["mode"] == "RGB"
        assert min(outcome["size"]) >= 1
