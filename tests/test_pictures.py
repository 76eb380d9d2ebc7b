import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from limner.pictures import find_pictures


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
            [f"{base}/a.png", f"{base}/gone.png", f"{base}/notes.txt"], allow_private=True
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
