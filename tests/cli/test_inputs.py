import io
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from limner.cli.inputs import find_pictures
from limner.images.limits import ImageLimits


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("b.JPG", "a.png", "below/c.webp"):
        image_format = {"JPG": "JPEG", "png": "PNG", "webp": "WEBP"}[name.split(".")[1]]
        Image.new("RGB", (8, 8)).save(tmp_path / name, image_format)
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def test_a_folder_stands_for_its_pictures_in_order(folder):
    found, failed = find_pictures([str(folder)])
    assert [name for name, _ in found] == [
        str(folder / n) for n in ("a.png", "b.JPG", "below/c.webp")
    ]
    assert failed == []


def test_a_file_is_taken_as_it_comes(folder):
    found, failed = find_pictures([str(folder / "notes.txt"), "absent.jpg"])
    assert [name for name, _ in found] == [str(folder / "notes.txt"), "absent.jpg"]
    assert failed == []


def test_a_folder_without_pictures(tmp_path):
    found, failed = find_pictures([str(tmp_path)])
    assert found == []
    assert failed[0].startswith(f"{tmp_path}: no picture in it")


def test_addresses(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        found, failed = find_pictures(
            [f"{base}/a.png", f"{base}/gone.png", f"{base}/notes.txt"],
            ImageLimits(allow_private=True),
        )
        server.shutdown()
    assert found == [(f"{base}/a.png", (folder / "a.png").read_bytes())]
    assert [message.split(": ")[0] for message in failed] == [
        f"{base}/gone.png",
        f"{base}/notes.txt",
    ]


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def names(folder, *patterns):
    found, failed = find_pictures([str(folder / pattern) for pattern in patterns])
    assert [name for name, path in found] == [str(path) for _, path in found]
    return [str(path.relative_to(folder)) for _, path in found], failed


def test_patterns(folder):
    assert names(folder, "*.png") == (["a.png"], [])
    assert names(folder, "[ab].*", "**/*.webp") == (["a.png", "b.JPG", "below/c.webp"], [])
    assert names(folder, "*") == (["a.png", "b.JPG", "below/c.webp"], [])  # and no notes.txt
    assert names(folder, "**") == (["a.png", "b.JPG", "below/c.webp"], [])  # each once


def test_patterns_from_where_we_are(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found, failed = find_pictures(["*/?.webp"])
    assert (found, failed) == ([("below/c.webp", Path("below/c.webp"))], [])


@pytest.mark.parametrize("name", ["what?.png", "[1].png", "a*b.png"])
def test_a_file_with_that_very_name_comes_first(folder, name):
    (folder / "what1.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "1.png").write_bytes((folder / "a.png").read_bytes())
    (folder / name).write_bytes((folder / "a.png").read_bytes())
    assert names(folder, name) == ([name], [])


def test_patterns_that_match_nothing_or_are_none(folder):
    found, (nothing, wrong) = names(folder, "*.tiff", "a**b")
    assert found == []
    assert nothing.startswith(f"{folder / '*.tiff'}: no picture matches (")
    assert wrong.startswith(f"{folder / 'a**b'}: ")
    assert ";" in wrong or "no picture matches" in wrong


def test_links_in_circles_come_to_an_end(folder):
    for name in ("x", "y", "below/z"):
        (folder / name).symlink_to(folder, target_is_directory=True)
    found, failed = names(folder, "**/*.webp")
    assert "below/c.webp" in found
    assert len(found) < 10
    assert failed == []


def read_from(monkeypatch, content, **how):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    return find_pictures(["-"], **how)


def test_standard_input(folder, monkeypatch):
    content = (folder / "a.png").read_bytes()
    assert read_from(monkeypatch, content) == ([("-", content)], [])
    for wrong, message in ((b"", "empty, 0 bytes"), (b"text", "not an image")):
        found, (line,) = read_from(monkeypatch, wrong)
        assert found == []
        assert line.startswith(f"standard input: {message}")
    monkeypatch.setattr("limner.cli.inputs.MAX_BYTES", 10)
    assert read_from(monkeypatch, content) == (
        [],
        ["standard input: more than 10 bytes; save it to a file and name that"],
    )


def test_the_pixel_limit_is_the_one_asked_for(folder, monkeypatch):
    found, (line,) = read_from(
        monkeypatch, (folder / "a.png").read_bytes(), limits=ImageLimits(max_pixels=63)
    )
    assert found == []
    assert line.startswith("standard input: 8 x 8 pixels, more than the 63 that are read")
