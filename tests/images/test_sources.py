import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from limner.errors import InputError
from limner.images.limits import ImageLimits
from limner.images.sources import images_in, open_source

GREEN = np.full((6, 8, 3), (0, 128, 0), np.uint8)


def test_open_source_takes_every_kind(tmp_path):
    path = tmp_path / "green.png"
    Image.fromarray(GREEN).save(path)
    with path.open("rb") as file:
        for source in (path, str(path), path.read_bytes(), file, Image.open(path), GREEN):
            assert np.array_equal(open_source(source), GREEN)


@pytest.mark.parametrize(
    "array", [GREEN[0], GREEN / 255, GREEN.transpose(2, 0, 1), np.zeros((4, 4, 4), np.uint8)]
)
def test_open_source_refuses_other_arrays(array):
    with pytest.raises(InputError, match=r"^array \(.*\) of .*: expected an image \(H, W, 3\)"):
        open_source(array)


def test_open_source_applies_limits_to_arrays():
    with pytest.raises(InputError, match="more than the 40"):
        open_source(GREEN, limits=ImageLimits(max_pixels=40))


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_open_source_fetches_addresses(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Image.fromarray(GREEN).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("not an image")
    handler = partial(QuietHandler, directory=str(tmp_path))
    allowed = ImageLimits(allow_private=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        assert np.array_equal(open_source(f"{base}/a.png", limits=allowed), GREEN)
        for name in ("gone.png", "notes.txt"):
            with pytest.raises(InputError, match=f"^{base}/{name}: "):
                open_source(f"{base}/{name}", limits=allowed)
        with pytest.raises(InputError, match="a private address"):
            open_source(f"{base}/a.png")
        server.shutdown()
    with pytest.raises(InputError, match=r"^ftp://a/b\.png: only http and https"):
        open_source("ftp://a/b.png")


def test_images_in_a_folder(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("b.jpg", "below/a.png", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    assert images_in(str(tmp_path)) == [tmp_path / "b.jpg", tmp_path / "below/a.png"]
    (tmp_path / "below/a.png").unlink()
    with pytest.raises(InputError, match="no image in it"):
        images_in(tmp_path / "below")
