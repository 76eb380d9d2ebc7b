"""Private addresses in every spelling, and names that change what they stand for."""

import shutil
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import numpy as np
import pytest

from limner import http
from limner.errors import InputError
from limner.http import is_private_host, is_public
from limner.images.limits import ImageLimits
from limner.images.remote import fetch_bytes, image_from_url

PRIVATE = ImageLimits(allow_private=True)

IMAGE = b"P6 2 1 255\n" + bytes([255, 0, 0, 0, 0, 255])

PUBLIC = ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:8.8.8.8",
          "64:ff9b::8.8.8.8", "2002:808:808::1"]  # fmt: skip
NOT_PUBLIC = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.0.9", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.2.1", "198.18.0.1", "203.0.113.9",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%lo", "fc00::1", "fd12:3456::1", "fec0::1",
    "ff02::1", "2001:db8::1", "2001::1", "100::1", "4000::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::127.0.0.1",
    "64:ff9b::a00:1", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a9fe:a9fe::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address):
    assert not is_public(address)


class Images(BaseHTTPRequestHandler):
    """An image at every path, but /to?ADDRESS redirects there."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"]))
        self.server.headers = self.headers
        path, _, target = self.path.partition("?")
        self.send_response(302 if path == "/to" else 200)
        if path == "/to":
            self.send_header("Location", unquote(target))
        self.end_headers()
        self.wfile.write(b"" if path == "/to" else IMAGE)

    def log_message(self, *_):
        pass


@contextmanager
def serving(host="127.0.0.1", context=None):
    family = {":": socket.AF_INET6}.get(host[0], socket.AF_INET)
    kind = type("Server", (ThreadingHTTPServer,), {"address_family": family})
    with kind((host, 0), Images) as server:
        server.asked = []
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_cache_of_others(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


SPELLINGS = ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1",
             "0", "0.0.0.0", "127.0.0.1.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"]  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
def test_this_machine_in_any_spelling_is_refused_unless_allowed(host):
    with serving() as server:
        url = f"http://{host}:{server.server_port}/a.ppm"
        with pytest.raises(InputError, match=";") as caught:
            fetch_bytes(url)
        assert str(caught.value).startswith(f"{url}: ")
        assert "`allow_private`" in str(caught.value) or "cannot be reached" in str(caught.value)
        assert server.asked == []
        if host not in ("localhost", "127.0.0.1."):  # which may be ::1 first, or no name at all
            assert fetch_bytes(url, limits=PRIVATE) == IMAGE


def test_ipv6(monkeypatch):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with serving("::1") as server:
        url = f"http://[::1]:{server.server_port}/a.ppm"
        with pytest.raises(InputError, match=r"a\.ppm: a private address; `allow_private`"):
            fetch_bytes(url)
        assert fetch_bytes(url, limits=PRIVATE) == IMAGE


def test_private_cache_entries_are_separate(tmp_path):
    with serving() as server:
        url = f"http://127.0.0.1:{server.server_port}/a.ppm"
        fetch_bytes(url, limits=PRIVATE)
        assert fetch_bytes(url, limits=PRIVATE) == IMAGE
        assert len(server.asked) == 1  # the second came from the cache
        with pytest.raises(InputError, match="a private address"):
            fetch_bytes(url)
        assert image_from_url(url).shape == (240, 320, 3)  # a note that says so


def lookups(monkeypatch, answers):
    """Stands in for DNS: a name's next list of addresses, its last again and again."""
    real, asked = socket.getaddrinfo, []

    def look_up(host, port, *args, **kwargs):
        if host not in answers:
            return real(host, port, *args, **kwargs)
        asked.append(host)
        found = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        return [entry for address in found for entry in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def count_as_public(monkeypatch, address):
    """An address of this machine stands in for a public one, which no test can reach."""
    monkeypatch.setattr(http, "is_public", lambda a: a == address or is_public(a))


def test_one_private_address_among_several_is_enough(monkeypatch):
    lookups(monkeypatch, {"images.example": [["8.8.8.8", "10.1.2.3"]]})
    with pytest.raises(InputError, match=r"images\.example is 10\.1\.2\.3, a private address"):
        fetch_bytes("http://images.example/a.ppm", timeout=5)


def test_host_name_is_resolved_once(monkeypatch):
    count_as_public(monkeypatch, "127.0.0.2")
    with serving("127.0.0.2") as public, serving() as private:
        asked = lookups(monkeypatch, {"two.example": [["127.0.0.2"], ["127.0.0.1"]]})
        assert fetch_bytes(f"http://two.example:{public.server_port}/a") == IMAGE
        assert asked == ["two.example"]
        assert public.asked == [("/a", f"two.example:{public.server_port}")]
        with pytest.raises(InputError, match=r"two\.example is 127\.0\.0\.1, a private"):
            fetch_bytes(f"http://two.example:{private.server_port}/b")
        assert private.asked == []


def test_a_second_address_is_tried_where_the_first_does_not_answer(monkeypatch):
    monkeypatch.setattr(http, "is_public", lambda address: True)
    with serving() as server:
        lookups(monkeypatch, {"two.example": [["127.0.0.2", "127.0.0.1"]]})
        assert fetch_bytes(f"http://two.example:{server.server_port}/a") == IMAGE


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "rebound.example", "[::ffff:127.0.0.1]"])
def test_a_redirect_to_a_private_address_is_refused(monkeypatch, host):
    count_as_public(monkeypatch, "127.0.0.2")
    lookups(monkeypatch, {"rebound.example": [["127.0.0.1"]]})
    with serving("127.0.0.2") as public, serving() as private:
        start = f"http://127.0.0.2:{public.server_port}/to?"
        with pytest.raises(InputError, match="a private address; `allow_private`"):
            fetch_bytes(f"{start}http://{host}:{private.server_port}/secret")
        assert (len(public.asked), private.asked) == (1, [])
        assert fetch_bytes(f"{start}/a") == IMAGE  # to where it came from


def test_five_redirects_and_not_six():
    with serving() as server:
        url = f"http://127.0.0.1:{server.server_port}/a"
        for count in range(1, 7):
            url = f"http://127.0.0.1:{server.server_port}/to?{url}"
            if count <= 5:
                assert fetch_bytes(url, limits=PRIVATE) == IMAGE
        with pytest.raises(InputError, match="redirected more than five times"):
            fetch_bytes(url, limits=PRIVATE)


def test_a_proxy_is_used_with_permission_alone(monkeypatch):
    count_as_public(monkeypatch, "127.0.0.2")
    with serving("127.0.0.2") as public, serving() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.delenv("no_proxy", raising=False)
        url = f"http://127.0.0.2:{public.server_port}/a"
        assert fetch_bytes(url) == IMAGE
        assert (len(public.asked), proxy.asked) == (1, [])
        assert fetch_bytes(url, limits=PRIVATE) == IMAGE
        assert [path for path, _ in proxy.asked] == [url]


@pytest.mark.parametrize(
    ("login", "header"), [("", None), ("me:p%40ss@", "Basic " + b64encode(b"me:p@ss").decode())]
)
def test_a_proxy_gets_its_password(monkeypatch, login, header):
    with serving() as proxy:
        monkeypatch.setenv("http_proxy", f"{login}127.0.0.1:{proxy.server_port}")  # no scheme
        monkeypatch.delenv("no_proxy", raising=False)
        assert fetch_bytes("http://images.example/a", limits=PRIVATE) == IMAGE
        assert proxy.headers["Proxy-Authorization"] == header


@pytest.fixture
def tls(tmp_path):
    """The context of a server that is images.example, and its certificate."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=images.example "
               "-addext subjectAltName=DNS:images.example")  # fmt: skip
    subprocess.run(
        [*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def test_certificates_are_checked_against_the_name(monkeypatch, tls):
    context, certificate = tls
    names = []
    context.sni_callback = lambda connection, name, context: names.append(name)
    count_as_public(monkeypatch, "127.0.0.1")
    lookups(monkeypatch, {name: [["127.0.0.1"]] for name in ("images.example", "other.example")})
    with serving(context=context) as server:
        good, other = (
            f"https://{name}:{server.server_port}/a" for name in ("images.example", "other.example")
        )
        with pytest.raises(InputError, match=r"cannot prove who it is \(self.signed certificate"):
            fetch_bytes(good)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch_bytes(good) == IMAGE
        with pytest.raises(InputError, match=r"not valid for 'other\.example'"):
            fetch_bytes(other)
        assert names == ["images.example", "images.example", "other.example"]


def test_a_redirect_from_https_to_http_is_refused(monkeypatch, tls):
    context, certificate = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    count_as_public(monkeypatch, "127.0.0.1")
    lookups(monkeypatch, {"images.example": [["127.0.0.1"]]})
    with serving() as plain, serving(context=context) as server:
        start = f"https://images.example:{server.server_port}/to?"
        with pytest.raises(InputError, match=r"to http://.*: from https to http is not followed;"):
            fetch_bytes(f"{start}http://127.0.0.1:{plain.server_port}/a")
        assert plain.asked == []
        assert fetch_bytes(f"{start}/a") == IMAGE


def test_hosts_of_private_networks(monkeypatch):
    lookups(monkeypatch, {"one.example": [["8.8.8.8"]], "two.example": [["8.8.8.8", "10.0.0.1"]]})
    private = ["http://two.example/a", "http://[::1]:80/a", "http://localhost/", "https://0x7f.1"]
    assert [url for url in private if not is_private_host(url)] == []
    others = ["http://one.example/a", "http://[2606:2800:21f::1]/", "http://[::1", "ftp://10.0.0.1"]
    assert [url for url in others if is_private_host(url)] == []


def test_the_placeholder_of_a_private_address_is_a_note():
    pixels = image_from_url("http://10.0.0.1/a.jpg")
    assert pixels.shape == (240, 320, 3)
    assert not np.array_equal(pixels, image_from_url("http://10.0.0.2/a.jpg"))
