"""Resumable download of one large file by HTTP, verified by its checksum.

Received bytes are stored in ``NAME.part``, renamed to ``NAME`` when size and checksum are correct.
"""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from limner.download.catalog import RemoteFile
from limner.errors import InputError, LimnerError
from limner.http import NetworkError, RefusedError, Response, get, is_private_host
from limner.io import locked, write_atomically, writing

TIMEOUT = 30.0  # seconds without a byte, after which a connection counts as broken
TRIES = 5  # in a row, each with fewer than TRIFLE bytes
TRIFLE = 1_000_000  # bytes
SLOWEST = 100  # bytes a second: slower servers count as silent
_CHUNK = 256 * 1024


def fetch_file(
    file: RemoteFile,
    folder: Path,
    report: Callable[[str], None],
    update: Callable[[int, int], None] = lambda done, total: None,
    *,
    timeout: float = TIMEOUT,
    pause: float = 1.0,
) -> Path:
    """Download a file into a folder, or resume the download, and return its path.

    An existing file is verified, and not downloaded.

    Args:
        file: the file.
        folder: its folder.
        report: called with a message on the verification.
        update: called with the number of received bytes, and of all.
        timeout: seconds without data after which a connection counts as broken; less than 100
            bytes per second is no data.
        pause: seconds before a retry, increasing without progress.

    Raises:
        LimnerError: if the server refuses, the connection breaks five times in a row with hardly
            any data, the checksum is wrong (the file is deleted), or the disk is full. Otherwise,
            received bytes are kept, and the next call resumes.
        InputError: if another file with this name exists.

    Example:
        >>> _ = Path("notes.txt").write_bytes(b"a red circle")
        >>> file = RemoteFile(url="https://example.org/notes.txt", bytes=12)
        >>> fetch_file(file, Path(), report=lambda line: None).name
        'notes.txt'
    """
    target, transfer = folder / file.name, _Transfer(file, folder, update, timeout)
    if target.exists():
        if wrong := _verify(file, target, report):
            raise InputError(f"{target}: {wrong}; move it away, then run the same command again")
        return target
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{file.name}.lock"):
        transfer.receive_all(pause)
        if wrong := _verify(file, transfer.part, report):
            transfer.part.unlink()
            raise LimnerError(
                f"{file.url}: not the file that was expected, and deleted: {wrong}; try again "
                "later, or give the address and checksum of another copy with `catalog`"
            )
        transfer.part.replace(target)
        transfer.version.unlink(missing_ok=True)
    return target


def bytes_there(file: RemoteFile, folder: Path) -> int:
    """Number of bytes of a file that are already downloaded.

    Example:
        >>> bytes_there(RemoteFile(url="https://example.org/absent.zip"), Path())
        0
    """
    target = folder / file.name
    return target.stat().st_size if target.exists() else _Transfer(file, folder).done


def _verify(file: RemoteFile, path: Path, report: Callable[[str], None]) -> str | None:
    """Verify a complete file: report how, or return the problem."""
    size = path.stat().st_size
    if size != (file.bytes or size):
        return f"it has {size:,} bytes, and {file.bytes:,} are expected"
    kind, expected = file.checksum or ("sha256", None)
    with path.open("rb") as content:
        found = hashlib.file_digest(content, kind).hexdigest()
    if found != (expected or found):
        return f"its {kind} is {found}, and {expected} is expected"
    if expected:
        report(f"{file.name}: verified by its {kind}")
    else:
        report(
            f"{file.name}: cannot be verified, its sha256 is unknown; to require this file, "
            f'put sha256 = "{found}" into a catalogue of your own (docs/download.md)'
        )
    return None


@dataclass(frozen=True)
class _Transfer:
    """A resumable transfer of a file."""

    file: RemoteFile
    folder: Path
    update: Callable[[int, int], None] = lambda done, total: None
    timeout: float = TIMEOUT

    @property
    def part(self) -> Path:
        return self.folder / f"{self.file.name}.part"

    @property
    def version(self) -> Path:
        """File with the server's ETag or date, used without a checksum."""
        return self.folder / f"{self.file.name}.part.version"

    @property
    def done(self) -> int:
        """Number of received bytes."""
        return self.part.stat().st_size if self.part.exists() else 0

    def receive_all(self, pause: float) -> None:
        """Retry after broken connections until `TRIES` in a row fail."""
        failures, mark = 0, self.done
        while True:
            try:
                return self._receive()
            except NetworkError as error:
                failures += 1
                if self.done > mark + TRIFLE:
                    failures, mark = 1, self.done
                if failures == TRIES:
                    raise LimnerError(
                        f"{self.file.url}: {error}, {TRIES} times in a row; check the network, "
                        f"then run the same command again: it resumes after {self.done:,} bytes"
                    ) from None
                time.sleep(pause * failures)

    def _receive(self) -> None:
        """Request the missing bytes once and append them.

        The server may be in a private network, and may redirect within it; a public one must not
        redirect to a private address.
        """
        if self.done == self.file.bytes:
            return
        url, headers = self.file.url, self._range_headers()
        have = self.done if headers else 0
        private = is_private_host(url)
        try:
            with get(
                url, timeout=self.timeout, headers=headers, allow_private=private, proxies=True
            ) as response:
                if 200 <= response.status < 300:
                    self._take(response, have)
                else:
                    self._explain_status(response, have)
        except RefusedError as error:
            raise LimnerError(f"{url}: {error}; give another address with `catalog`") from None

    def _range_headers(self) -> dict[str, str]:
        """Headers that request the rest; none if the version of the file is uncertain.

        With a checksum, the whole file is verified. Without one, the server must confirm that its
        file is unchanged.
        """
        have = self.done
        if not have or have > (self.file.bytes or have):
            return {}
        headers = {"Range": f"bytes={have}-"}
        if not self.file.checksum:
            if not self.version.exists():
                return {}
            headers["If-Range"] = self.version.read_text("utf-8")
        return headers

    def _take(self, response: Response, have: int) -> None:
        """Append the response to the part, or start over with it."""
        start, total = 0, response.length_remaining  # the whole file, despite the request
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            span = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", response.headers.get("Content-Range", ""))
            start = int(span[1]) if span else have
            total = int(span[2]) if span and span[2] != "*" else None
        if self.file.bytes and total not in (None, self.file.bytes):
            raise self._another_size(f"{total:,}")
        if start not in (0, have):
            self.part.unlink()
            raise NetworkError("the server sent another range than the one requested")
        if not start:
            self.part.unlink(missing_ok=True)
            self.version.unlink(missing_ok=True)
            etag = response.headers.get("ETag", "")
            version = response.headers.get("Last-Modified") if etag[:2] in ("", "W/") else etag
            if version and not self.file.checksum:
                write_atomically(self.version, version)
        self._append(response, self.file.bytes or total)

    def _append(self, response: Response, expected: int | None) -> None:
        """Write the response to the part until it is complete."""
        done = had = self.done
        since = time.monotonic()
        with writing(self.part):
            out = self.part.open("ab", buffering=0)  # received bytes are kept on any error
        with out:
            while chunk := response.read1(_CHUNK):
                done += len(chunk)
                if done > (expected or done):
                    self.part.unlink()
                    raise self._another_size(f"more than {expected:,}")
                with writing(self.part):
                    while chunk:
                        chunk = chunk[out.write(chunk) :]
                self.update(done, expected or done)
                if time.monotonic() - since > self.timeout:
                    if done - had < SLOWEST * self.timeout:
                        raise NetworkError("the server is too slow")
                    since, had = time.monotonic(), done
        if done < (expected or 0):
            raise NetworkError(f"the connection broke off after {done:,} of {expected:,} bytes")

    def _another_size(self, found: str) -> LimnerError:
        expected = self.file.bytes
        beside = f", not the {expected:,} that are expected" if expected else ""
        return LimnerError(
            f"{self.file.url}: the server sends {found} bytes{beside}: another file; give the "
            "address, size and checksum of the right one with `catalog`"
        )

    def _explain_status(self, response: Response, have: int) -> None:
        """Return if the file is complete already; otherwise raise the error of this status."""
        status = f"{response.status} {response.reason}"
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return
            self.part.unlink()
            raise NetworkError("the partial download does not match the server's file")
        if response.status >= 500 or response.status in (408, 429):
            raise NetworkError(f"the server answers {status}")
        raise LimnerError(
            f"{self.file.url}: the server answers {status}; try again later, or give another "
            "address with `catalog`"
        )
