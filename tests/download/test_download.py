"""Downloads from a server on this machine that misbehaves in every way there is."""

import hashlib

import numpy as np
import pytest

import local_server as does
from limner.download.catalog import RemoteFile
from limner.download.download import bytes_there, fetch_file
from limner.errors import InputError, LimnerError
from local_server import serving

CONTENT = np.random.default_rng(0).bytes(20_000)
OTHER = np.random.default_rng(1).bytes(20_000)
PATH = "/cats.bin"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server:
        server.files[PATH] = CONTENT
        yield server


@pytest.fixture
def fetch(server, tmp_path):
    """Fetches what the server has at PATH, and gives its content and what was reported."""

    def call(timeout=5.0, **facts):
        facts = facts or {"bytes": len(CONTENT), "sha256": sha256(CONTENT)}
        lines = []
        file = RemoteFile(url=server.address + PATH, **facts)
        path = fetch_file(file, tmp_path, lines.append, timeout=timeout, pause=0)
        assert [path.name for path in tmp_path.iterdir()] == ["cats.bin"]  # and nothing beside it
        return path.read_bytes(), lines

    return call


def ranges(server):
    return [asked for _, asked in server.asked]


def part_in(folder, content):
    (folder / "cats.bin.part").write_bytes(content)


def test_a_whole_file(server, fetch):
    assert fetch() == (CONTENT, ["cats.bin: verified by its sha256"])
    assert fetch() == (CONTENT, ["cats.bin: verified by its sha256"])
    assert ranges(server) == [None]  # once


def test_progress_ends_with_all_of_it(server, tmp_path):
    seen = []
    file = RemoteFile(url=server.address + PATH, bytes=len(CONTENT))
    fetch_file(file, tmp_path, seen.append, lambda *counts: seen.append(counts))
    assert seen[-2] == (len(CONTENT), len(CONTENT))


def test_interrupted_download_is_resumed(server, fetch):
    server.behaviours[PATH] = [does.breaks_off_after(n) for n in (7000, 0, 5000)]
    assert fetch()[0] == CONTENT
    assert ranges(server) == [None, "bytes=7000-", "bytes=7000-", "bytes=12000-"]


def test_any_number_of_breaks_while_it_gets_on(server, tmp_path):
    server.files[PATH] = content = CONTENT * 400
    server.behaviours[PATH] = [does.breaks_off_after(1_100_000)] * 7
    file = RemoteFile(url=server.address + PATH, sha256=sha256(content))
    path = fetch_file(file, tmp_path, print, pause=0)
    assert path.read_bytes() == content
    assert len(server.asked) == 8


def test_five_breaks_in_a_row_are_enough(server, fetch, tmp_path):
    server.behaviours[PATH] = [does.breaks_off_after(10)] * 5
    with pytest.raises(LimnerError, match="broke off after 50 of 20,000 bytes, 5 times in a row"):
        fetch()
    assert (tmp_path / "cats.bin.part").read_bytes() == CONTENT[:50]
    assert fetch()[0] == CONTENT  # the next run goes on
    assert ranges(server)[-1] == "bytes=50-"


def test_server_without_range_requests(server, fetch, tmp_path):
    part_in(tmp_path, OTHER[:900])
    server.behaviours[PATH] = [does.ignores_range]
    assert fetch()[0] == CONTENT
    assert ranges(server) == ["bytes=900-"]


def test_a_server_that_sends_another_piece(server, fetch, tmp_path):
    part_in(tmp_path, CONTENT[:900])
    server.behaviours[PATH] = [does.sends_another_piece]
    assert fetch()[0] == CONTENT
    assert ranges(server) == ["bytes=900-", None]


@pytest.mark.parametrize("length", [len(CONTENT) - 500, len(CONTENT) + 500, 10**12])
def test_another_length_is_refused_before_anything_is_fetched(server, fetch, tmp_path, length):
    server.behaviours[PATH] = [does.says_length(length)]
    message = f"the server sends {length:,} bytes, not the 20,000 that are expected: another file"
    with pytest.raises(LimnerError, match=message):
        fetch()
    assert not list(tmp_path.iterdir())
    assert len(server.asked) == 1


def test_download_beyond_the_expected_size_is_refused(server, fetch, tmp_path):
    server.files[PATH] = CONTENT + b"more"
    server.behaviours[PATH] = [does.says_no_length]
    with pytest.raises(LimnerError, match="more than 20,000 bytes"):
        fetch()
    assert not list(tmp_path.iterdir())


def test_content_length_too_large_without_expected_size(server, fetch):
    server.behaviours[PATH] = [does.says_length(len(CONTENT) + 500)]
    assert fetch(sha256=sha256(CONTENT))[0] == CONTENT
    assert ranges(server) == [None, "bytes=20000-"]  # and that is answered by 416: all is there


def test_content_length_too_small_without_expected_size(server, fetch, tmp_path):
    server.behaviours[PATH] = [does.says_length(len(CONTENT) - 500)]
    with pytest.raises(LimnerError, match="not the file that was expected"):
        fetch(sha256=sha256(CONTENT))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_file_is_deleted(server, fetch, tmp_path, kind):
    server.files[PATH] = OTHER
    expected, found = (hashlib.new(kind, content).hexdigest() for content in (CONTENT, OTHER))
    with pytest.raises(LimnerError) as raised:
        fetch(**{"bytes": len(CONTENT), kind: expected})
    (line,) = str(raised.value).splitlines()
    assert line.startswith(server.address + PATH)
    assert f"its {kind} is {found}, and {expected} is expected" in line
    assert not list(tmp_path.iterdir())


def test_file_without_checksum_is_reported_as_unverified(fetch):
    content, (line,) = fetch(bytes=len(CONTENT))
    assert content == CONTENT
    assert "cannot be verified" in line
    assert f'sha256 = "{sha256(CONTENT)}"' in line


def test_a_file_that_changed_on_the_server_is_not_patched_together(server, fetch):
    server.etags[PATH] = '"first"'

    def breaks_off_and_changes(handler):
        handler.wfile.write(does.rest(handler)[:7000])
        server.files[PATH], server.etags[PATH] = OTHER, '"second"'

    server.behaviours[PATH] = [breaks_off_and_changes]
    assert fetch(bytes=len(CONTENT))[0] == OTHER
    assert server.headers[1]["If-Range"] == '"first"'


def test_download_resumes_the_same_version(server, fetch):
    server.etags[PATH] = '"first"'
    server.behaviours[PATH] = [does.breaks_off_after(7000)]
    assert fetch(bytes=len(CONTENT))[0] == CONTENT
    assert ranges(server) == [None, "bytes=7000-"]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_download_restarts_without_checksum_and_version(server, fetch, etag):
    server.etags[PATH] = etag
    server.behaviours[PATH] = [does.breaks_off_after(7000)]
    assert fetch(bytes=len(CONTENT))[0] == CONTENT
    assert ranges(server) == [None, None]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_final(server, fetch, status):
    server.behaviours[PATH] = [does.answers(status)]
    with pytest.raises(LimnerError, match=rf"cats.bin: the server answers {status} \w+"):
        fetch()
    assert len(server.asked) == 1


def test_server_errors_are_retried(server, fetch):
    server.behaviours[PATH] = [does.answers(code) for code in (500, 503, 429)]
    assert fetch()[0] == CONTENT


def test_a_server_that_stays_in_trouble(server, fetch):
    server.behaviours[PATH] = [does.answers(500)] * 9
    with pytest.raises(LimnerError, match="answers 500 Internal Server Error, 5 times in a row"):
        fetch()
    assert len(server.asked) == 5


def test_a_part_that_is_longer_than_the_file(server, fetch, tmp_path):
    part_in(tmp_path, OTHER + OTHER)
    assert fetch()[0] == CONTENT
    assert ranges(server) == [None]


def test_a_part_that_does_not_fit_the_file(server, fetch, tmp_path):
    part_in(tmp_path, OTHER + OTHER)
    assert fetch(sha256=sha256(CONTENT))[0] == CONTENT
    assert ranges(server) == ["bytes=40000-", None]  # the first is answered by 416


def test_a_part_that_is_all_of_it_needs_no_server(server, fetch, tmp_path):
    part_in(tmp_path, CONTENT)
    assert fetch()[0] == CONTENT
    assert not server.asked


@pytest.mark.parametrize("behaviour", [does.hangs_after(500), does.drips])
def test_a_server_that_stalls_for_once(server, fetch, behaviour):
    server.behaviours[PATH] = [behaviour]
    assert fetch(timeout=0.3)[0] == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [(does.hangs_after(0), "the server is silent"), (does.drips, "the server is too slow")],
)
def test_a_server_that_never_gets_on(server, fetch, behaviour, reason):
    server.behaviours[PATH] = [behaviour] * 5
    with pytest.raises(LimnerError, match=f"{reason}, 5 times in a row"):
        fetch(timeout=0.3)


def test_no_server(fetch, server):
    server.server_close()
    with pytest.raises(LimnerError, match=r"cats.bin: Connection refused, 5 times in a row"):
        fetch()


def test_range_requests_follow_redirects(server, fetch, tmp_path):
    part_in(tmp_path, CONTENT[:900])
    server.files["/moved.bin"] = CONTENT
    server.behaviours[PATH] = [does.answers(302, Location="/moved.bin")]
    assert fetch()[0] == CONTENT
    assert server.asked == [(PATH, "bytes=900-"), ("/moved.bin", "bytes=900-")]


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/cats.bin", PATH])
def test_a_redirect_elsewhere_or_in_a_loop_is_refused(server, fetch, tmp_path, address):
    server.behaviours[PATH] = [does.answers(302, Location=address)] * 20
    with pytest.raises(LimnerError, match=r"cats.bin: redirected (to f|more than five times).*;"):
        fetch()
    assert not list(tmp_path.iterdir())


def test_a_redirect_into_a_private_network_is_refused(server, fetch, monkeypatch):
    """A public server may not lead there; a private one may, as in the other tests."""
    monkeypatch.setattr("limner.http.is_public", lambda address: address != "127.0.0.2")
    server.behaviours[PATH] = [does.answers(302, Location="http://127.0.0.2:9/secret")]
    with pytest.raises(LimnerError, match=r"cats.bin: a private address; give another address"):
        fetch()
    assert fetch()[0] == CONTENT


def test_a_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", server.address)
    url = "http://images.example/cats.bin"  # which the proxy alone can resolve
    server.files[url] = CONTENT
    path = fetch_file(RemoteFile(url=url), tmp_path, print)
    assert path.read_bytes() == CONTENT
    assert server.asked == [(url, None)]


def test_another_file_under_that_name_is_left_alone(server, fetch, tmp_path):
    (tmp_path / "cats.bin").write_bytes(b"mine")
    with pytest.raises(InputError, match="it has 4 bytes, and 20,000 are expected; move it away"):
        fetch()
    assert (tmp_path / "cats.bin").read_bytes() == b"mine"
    assert not server.asked


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("no folder")
    file = RemoteFile(url=server.address + PATH)
    with pytest.raises(LimnerError, match="file/cats: cannot be written"):
        fetch_file(file, tmp_path / "file" / "cats", print)


def test_bytes_there(tmp_path):
    file = RemoteFile(url="http://127.0.0.1/cats.bin")
    part_in(tmp_path, b"123")
    assert bytes_there(file, tmp_path) == 3
    (tmp_path / "cats.bin").write_bytes(b"12345")
    assert bytes_there(file, tmp_path) == 5
