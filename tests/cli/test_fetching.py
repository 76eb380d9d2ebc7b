"""`limner download`, from a server on this machine, and as processes that are killed."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

import local_server as does
from limner.cli import main
from local_server import serving

IMAGE = np.random.default_rng(0).bytes(200_000)
LIST = b"tom.jpg\n"


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as file:
        file.writestr("cats/tom.jpg", IMAGE)
        file.writestr("__MACOSX/cats/._tom.jpg", b"no cat")
    with serving() as server:
        server.files = {"/cats.zip": (tmp_path / "made.zip").read_bytes(), "/list.txt": LIST}
        (tmp_path / "made.zip").unlink()
        yield server


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def catalog(server, tmp_path):
    """Writes a catalogue of cats; `facts` of the archive are those that are right, or others."""
    path = tmp_path / "mine.toml"

    def write(**facts):
        archive = server.files["/cats.zip"]
        right = {"bytes": len(archive), "sha256": f'"{sha256(archive)}"'}
        lines = "\n".join(f"{k} = {v}" for k, v in (right | facts).items() if v is not None)
        path.write_text(f"""
[cats]
title = "Cats: one photograph"
licence = "CC0, whatever that means to a cat"
citation = "Tom (2026)"
[[cats.files]]
url = "{server.address}/list.txt"
bytes = {len(LIST)}
sha256 = "{sha256(LIST)}"
[[cats.files]]
url = "{server.address}/cats.zip"
unpack = "zip"
keep = ["cats"]
{lines}
""")
        return path

    write()
    return write


@pytest.fixture
def download(catalog, tmp_path, capsys):
    """Runs the command, and gives the exit status, stdout and stderr."""

    def call(*options):
        arguments = ["--catalog", tmp_path / "mine.toml", "--out", tmp_path / "got", *options]
        status = main(["download", "cats", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def paths(server):
    return [path for path, _ in server.asked]


# A shell's job in the background is started deaf to Ctrl-C, and so are its children.
HEEDING_CTRL_C = """
import signal, sys
from limner.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""


def process(tmp_path, *options, **how):
    command = [sys.executable, "-c", HEEDING_CTRL_C, "download", "cats", *options]
    command += ["--catalog", "mine.toml", "--out", "got"]
    return subprocess.Popen(command, cwd=tmp_path, text=True, **how)


def wait_for(path, size):
    until = time.monotonic() + 60
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_download_fetches_and_unpacks(server, download, tmp_path):
    size = len(server.files["/cats.zip"]) / 1e6
    assert download() == (
        0,
        f"""Cats: one photograph
licence: CC0, whatever that means to a cat
cite: Tom (2026)
{server.address}/list.txt (0.0 MB)
{server.address}/cats.zip ({size:.1f} MB)
to download into {tmp_path}/got: {size:.1f} MB
list.txt: verified by its sha256
cats.zip: verified by its sha256
next: limner prepare {tmp_path}/got --out dataset
""",
        "",
    )
    assert contents(tmp_path / "got") == {"cats/tom.jpg": IMAGE, "list.txt": LIST}


def test_download_skips_complete_files(server, download, tmp_path):
    download()
    status, out, err = download()
    assert (status, err) == (0, "")
    assert f"{tmp_path}/got: already complete\nnext: limner prepare" in out
    assert paths(server) == ["/list.txt", "/cats.zip"]


def test_download_keep_archives(server, download, tmp_path):
    download("--keep-archives")
    assert contents(tmp_path / "got")["cats.zip"] == server.files["/cats.zip"]


def test_download_restores_missing_files(server, download, tmp_path):
    download()
    (tmp_path / "got" / "list.txt").unlink()
    assert download()[0] == 0
    assert paths(server) == ["/list.txt", "/cats.zip", "/list.txt"]


def test_download_without_checksum_prints_sha256(server, download, catalog):
    catalog(sha256=None)
    status, out, _ = download("--yes")
    assert status == 0
    (line,) = (line for line in out.splitlines() if line.startswith("cats.zip: "))
    assert f'sha256 = "{sha256(server.files["/cats.zip"])}"' in line


@pytest.mark.parametrize("facts", [{"bytes": 2_000_000_000}, {"bytes": None}])
def test_download_needs_yes_without_terminal(server, download, catalog, tmp_path, facts):
    catalog(**facts)
    status, _, err = download()
    assert status == 2
    (line,) = err.splitlines()
    assert "to download; add --yes to confirm" in line
    assert not server.asked
    assert not (tmp_path / "got").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal as POSIX has it")
@pytest.mark.parametrize(("answer", "status"), [("n", 1), ("y", 0)])
def test_download_asks_at_terminal(server, catalog, tmp_path, answer, status):
    catalog(bytes=None)  # nobody knows how much it is
    keyboard, terminal = os.openpty()
    with process(tmp_path, stdin=terminal, stderr=subprocess.PIPE) as running:
        os.write(keyboard, f"{answer}\n".encode())
        error = running.stderr.read()
    os.close(keyboard)
    os.close(terminal)
    assert running.returncode == status
    assert error.startswith("Continue? [y/N]:")
    assert (tmp_path / "got" / "cats" / "tom.jpg").exists() is (answer == "y")
    assert bool(server.asked) is (answer == "y")


def test_download_refuses_insufficient_disk_space(server, download, catalog):
    catalog(bytes=10**15)
    status, _, err = download("--yes")
    assert status == 1
    assert "got: 2000000.0 GB are needed and" in err
    assert not server.asked


def test_download_refuses_wrong_checksum(server, download, catalog, tmp_path):
    catalog(sha256=f'"{"0" * 64}"')
    status, out, err = download()
    assert status == 1
    (line,) = err.splitlines()
    assert line.startswith(f"limner: {server.address}/cats.zip: not the file that was expected")
    assert sha256(server.files["/cats.zip"]) in line
    assert "next:" not in out
    assert contents(tmp_path / "got") == {"list.txt": LIST}


def test_download_refuses_path_traversal(server, download, catalog, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("cats/tom.jpg", IMAGE)
        file.writestr("../../mine.toml", b"evil")
    server.files["/cats.zip"] = (tmp_path / "evil.zip").read_bytes()
    before = catalog().read_bytes()
    status, _, err = download()
    assert status == 1
    (line,) = err.splitlines()
    assert "got/cats.zip: '../../mine.toml' leads out of the folder" in line
    assert (tmp_path / "mine.toml").read_bytes() == before
    assert not (tmp_path / "got" / "cats").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_download_resumes_after_kill(server, catalog, tmp_path):
    server.behaviours["/cats.zip"] = [does.hangs_after(70_000)]
    with process(tmp_path, stdout=subprocess.DEVNULL) as running:
        wait_for(tmp_path / "got" / "cats.zip.part", 70_000)
        running.kill()
    assert running.returncode == -signal.SIGKILL
    with process(tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        assert running.stderr.read() == ""
    assert running.returncode == 0
    assert server.asked == [
        ("/list.txt", None),
        ("/cats.zip", None),
        ("/cats.zip", "bytes=70000-"),
    ]
    assert contents(tmp_path / "got") == {"cats/tom.jpg": IMAGE, "list.txt": LIST}


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as POSIX has it")
def test_download_interrupt_keeps_partial_file(server, catalog, tmp_path):
    server.behaviours["/cats.zip"] = [does.hangs_after(70_000)]
    with process(tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        wait_for(tmp_path / "got" / "cats.zip.part", 70_000)
        running.send_signal(signal.SIGINT)
        error = running.stderr.read()
    assert running.returncode == 130
    assert error == "cats: interrupted; run the same command again to continue\n"
    assert (tmp_path / "got" / "cats.zip.part").stat().st_size == 70_000


FULL_DISK = """
import resource, signal, sys
from limner.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(["download", "cats", "--catalog", "mine.toml", "--out", "got"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of a file are POSIX's")
@pytest.mark.parametrize("stage", ["cats.zip.part", ".cats.zip.unpacking/cats/tom.jpg"])
def test_download_reports_full_disk(server, catalog, tmp_path, stage):
    limit = 100_000
    if "unpacking" in stage:  # the archive shrinks to less than what is in it
        with zipfile.ZipFile(tmp_path / "made.zip", "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("cats/tom.jpg", bytes(200_000))
        server.files["/cats.zip"] = (tmp_path / "made.zip").read_bytes()
        catalog()
    command = [sys.executable, "-c", FULL_DISK, str(limit)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"limner: got/{stage}: cannot be written (File too large)")
    assert not (tmp_path / "got" / "cats").exists()
    with process(tmp_path, stdout=subprocess.DEVNULL) as running:
        pass
    assert running.returncode == 0
    assert (tmp_path / "got" / "cats" / "tom.jpg").stat().st_size == 200_000
