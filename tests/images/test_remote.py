"""Downloads from a server on this machine that behaves in every bad way there is."""

import io
import threading
import time
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from limner import http
from limner.errors import InputError
from limner.images.limits import ImageLimits
from limner.images.remote import fetch_image, image_from_url, placeholder

ORANGE = (255, 128, 0)


def png(colour=ORANGE, size=(20, 10)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def noise():
    buffer = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


NOISE = noise()


class Misbehaviour(BaseHTTPRequestHandler):
    """Answers each path in its own way."""

    def do_GET(self):
        self.server.asked.append(self.path)
        name = self.path.partition("?")[0].strip("/").replace("-", "_").replace(".", "_")
        name = name.replace("%20", "_")
        with suppress(BrokenPipeError, ConnectionResetError):  # the client has had enough
            getattr(self, f"answer_{name}", self.answer_absent)()

    def answer(self, content, status=200, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def answer_good_png(self):
        self.answer(png())

    def answer_with_space_png(self):
        self.answer(png())

    def answer_absent(self):
        self.answer(b"<html>gone</html>", status=404)

    def answer_page_jpg(self):
        self.answer(b"<html>please log in</html>")

    def answer_nothing(self):
        self.answer(b"")

    def answer_too_short(self):
        self.answer(NOISE[:2000], length=5000)

    def answer_too_long(self):
        self.answer(NOISE, length=len(NOISE) - 500)

    def answer_says_large(self):
        self.answer(png(), length=10**12)

    def answer_odd_length(self):
        self.answer(png(), length="many")

    def answer_endless(self):
        self.send_response(200)
        self.end_headers()
        for _ in range(2000):
            self.wfile.write(bytes(10_000))

    def answer_drip(self):
        self.send_response(200)
        self.end_headers()
        self.drip(png() * 100)

    def answer_drip_headers(self):
        self.drip(b"HTTP/1.0 200 OK\r\nX-Padding: " + b"x" * 1000)

    def drip(self, content):
        for byte in content:
            if self.server.closing.wait(0.02):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()

    def answer_rubbish(self):
        self.wfile.write(b"\0\1\2\3\4 rubbish\r\n\r\n")

    def answer_redirect(self):
        self.answer(b"", status=302, Location="/good.png")

    def answer_loop(self):
        self.answer(b"", status=302, Location="/loop")

    def answer_loop_of_many(self):
        count = int(self.path.partition("?")[2] or 0)
        self.answer(b"", status=302, Location=f"/loop-of-many?{count + 1}")

    def answer_to_file(self):
        self.answer(b"", status=302, Location="file:///etc/hostname")

    def answer_to_ftp(self):
        self.answer(b"", status=302, Location="ftp://127.0.0.1/cat.png")

    def answer_flickr(self):
        self.answer(b"", status=302, Location="/pw/images/photo_unavailable.png")

    def log_message(self, *_):
        pass


fetch_here = partial(fetch_image, limits=ImageLimits(allow_private=True))


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Misbehaviour) as server:
        server.asked, server.closing = [], threading.Event()
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


def test_an_image_comes_once_and_then_from_the_cache(server, tmp_path):
    for _ in range(2):
        image = fetch_here(f"{server.address}/good.png")
        assert (image.size, image.getpixel((19, 9))) == ((20, 10), ORANGE)
    assert server.asked == ["/good.png"]
    (kept,) = (tmp_path / "cache" / "limner" / "images").iterdir()
    assert kept.read_bytes() == png()


def test_the_cache_serves_when_the_server_is_gone(monkeypatch, server, tmp_path):
    url = f"{server.address}/good.png"
    fetch_here(url, cache=tmp_path / "mine")
    server.shutdown()
    server.server_close()
    assert fetch_here(url, cache=tmp_path / "mine").getpixel((0, 0)) == ORANGE
    with pytest.raises(InputError, match=r"cannot be reached \(Connection refused\); check"):
        fetch_here(url, cache=tmp_path / "empty")


def test_damaged_cache_entry_is_downloaded_again(server, tmp_path):
    url = f"{server.address}/good.png"
    fetch_here(url, cache=tmp_path)
    (kept,) = tmp_path.glob("[0-9a-f]*")
    kept.write_bytes(png()[:30])
    assert fetch_here(url, cache=tmp_path).getpixel((0, 0)) == ORANGE
    assert kept.read_bytes() == png()


def test_a_cache_that_cannot_be_written_does_no_harm(server, tmp_path):
    (tmp_path / "file").write_text("no folder")
    image = fetch_here(f"{server.address}/good.png", cache=tmp_path / "file" / "cache")
    assert image.getpixel((0, 0)) == ORANGE


def test_a_redirect_is_followed(server):
    assert fetch_here(f"{server.address}/redirect").getpixel((0, 0)) == ORANGE
    assert server.asked == ["/redirect", "/good.png"]


def test_spaces_in_an_address(server):
    assert fetch_here(f"{server.address}/with space.png#part").getpixel((0, 0)) == ORANGE


BAD_ANSWERS = {
    "absent.jpg": "the server answers 404 Not Found; check the address",
    "page.jpg": "not an image that can be read; convert it",
    "nothing": "empty, 0 bytes",
    "too-short": "truncated",
    "too-long": "truncated",
    "says-large": "more than 20,000,000 bytes; use a smaller",
    "odd-length": "cannot be reached",
    "rubbish": "cannot be reached",
    "loop": "redirected more than five times",
    "loop-of-many": "redirected more than five times",
    "to-file": "redirected to file:///etc/hostname: only http and https",
    "to-ftp": "redirected to ftp://127.0.0.1/cat.png: only http and https",
    "flickr": "the image is gone from Flickr",
}


@pytest.mark.parametrize("path", BAD_ANSWERS)
def test_bad_answers_give_one_line_and_leave_no_cache(path, server, tmp_path):
    url = f"{server.address}/{path}"
    with pytest.raises(InputError) as caught:
        fetch_here(url)
    message = str(caught.value)
    assert message.startswith(f"{url}: ")
    assert BAD_ANSWERS[path] in message
    assert "\n" not in message
    assert not (tmp_path / "cache").exists()
    assert len(server.asked) <= 8


def test_an_endless_answer_is_cut_at_the_limit(server):
    with pytest.raises(InputError, match="more than 200,000 bytes"):
        fetch_here(f"{server.address}/endless", max_bytes=200_000)


@pytest.mark.parametrize("path", ["drip", "drip-headers"])
def test_the_time_limit_holds_for_the_whole_download(path, server):
    start = time.monotonic()
    with pytest.raises(InputError, match=r"no whole image within 0\.3 seconds; try again"):
        fetch_here(f"{server.address}/{path}", timeout=0.3)
    assert 0.25 < time.monotonic() - start < 2


@pytest.mark.parametrize(
    "url",
    ["file:///etc/hostname", "ftp://127.0.0.1/cat.jpg", "data:image/png;base64,AA", "cat.jpg", "",
     "http://", "http://[::1/cat.jpg", "http://127.0.0.1:port/cat.jpg", "http://a b/c",
     "javascript:alert(1)", "http://\udcff/\udcff.jpg", "http://127.0.0.1:9\n/x"],
)  # fmt: skip
def test_refused_addresses_are_not_requested(url, tmp_path):
    with pytest.raises(InputError, match=";") as caught:
        fetch_here(url, cache=tmp_path, timeout=2)
    assert "\n" not in str(caught.value)


def test_image_from_url_reads_addresses_and_this_machine(server, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "is_public", lambda address: True)  # this machine stands in
    path = tmp_path / "ein Bild, 写真.png"
    path.write_bytes(png())
    for url in (f"{server.address}/good.png", str(path), path.as_uri()):
        pixels = image_from_url(url)
        assert pixels.dtype == np.uint8
        assert pixels.shape == (10, 20, 3)
        assert (pixels == ORANGE).all()


def test_image_from_url_draws_a_placeholder(server):
    images = [
        image_from_url(url)
        for url in (f"{server.address}/absent.jpg", "absent.jpg", "http://[::1/x", "x\0y")
    ]
    for pixels in images:
        assert pixels.dtype == np.uint8
        assert pixels.shape == (240, 320, 3)
        assert 0.002 < (pixels < 100).mean() < 0.2  # text on grey
    assert not np.array_equal(images[0], images[1])


def test_a_placeholder_keeps_its_text_inside():
    pixels = np.asarray(placeholder("gone " * 9, "http://example.org/" + "写真" * 40, (200, 160)))
    assert pixels.shape == (160, 200, 3)
    text = pixels[..., 0] < 100
    assert text[14:80, 14:].any()
    assert not text[:, :12].any()
    assert not text[:, -8:].any()
