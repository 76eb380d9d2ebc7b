"""A large file by HTTP, in as many requests as it takes: each goes on where the last one ended."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from limner.download.catalog import RemoteFile
from limner.errors import LimnerError
from limner.http import NetworkError, RefusedError, Response, get, is_private_host
from limner.io import write_atomically, writing

SLOWEST = 100  # bytes a second: a server that drips is as good as silent
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Transfer:
    """What has been received of a file, and how to receive the rest.

    Attributes:
        file: what is fetched.
        folder: where it is received, as NAME.part.
        update: gets the bytes that are there, and how many there will be.
        timeout: seconds in which something must come; less than 100 bytes a second is nothing.

    Example:
        >>> Path("cats.zip.part").write_bytes(b"all of it")
        9
        >>> cats = RemoteFile(url="https://example.org/cats.zip", bytes=9)
        >>> Transfer(cats, Path()).receive()
    """

    file: RemoteFile
    folder: Path
    update: Callable[[int, int], None] = lambda done, total: None
    timeout: float = 30.0

    @property
    def part(self) -> Path:
        """Where the bytes are until they are all there and verified."""
        return self.folder / f"{self.file.name}.part"

    @property
    def version(self) -> Path:
        """Where the server's mark of the file's version is, for want of a checksum."""
        return self.folder / f"{self.file.name}.part.version"

    @property
    def done(self) -> int:
        """How many bytes have been received."""
        return self.part.stat().st_size if self.part.exists() else 0

    def receive(self) -> None:
        """Request what is missing, once, and append it.

        A server of a private network may be named, and may redirect within it; a public one may not
        redirect to a private address.

        Raises:
            NetworkError: what has been received is kept; worth another try.
            LimnerError: in one line that starts with the address, where another try is of no use.
        """
        url, have = self.file.url, self.done
        if have == self.file.bytes:
            return
        headers = self._range_headers(have)
        private = is_private_host(url)
        try:
            with get(
                url, timeout=self.timeout, headers=headers, allow_private=private, proxies=True
            ) as response:
                if 200 <= response.status < 300:
                    self._take(response, have if headers else 0)
                else:
                    self._explain_status(response, have if headers else 0)
        except RefusedError as error:
            raise LimnerError(f"{url}: {error}; give another address with --catalog") from None

    def _range_headers(self, have: int) -> dict[str, str]:
        """Headers that request what follows; none where the two might not belong together.

        A checksum verifies the whole. Without one, the server must say that its file is the same.
        """
        if not have or have > (self.file.bytes or have):
            return {}
        headers = {"Range": f"bytes={have}-"}
        if not self.file.checksum:
            if not self.version.exists():
                return {}
            headers["If-Range"] = self.version.read_text("utf-8")
        return headers

    def _take(self, response: Response, have: int) -> None:
        """Append what a server sends, or begin anew with it."""
        start, total = 0, response.length_remaining  # all of it, whatever was requested
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            span = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", response.headers.get("Content-Range", ""))
            start = int(span[1]) if span else have
            total = int(span[2]) if span and span[2] != "*" else None
        if self.file.bytes and total not in (None, self.file.bytes):
            raise self._another_size(f"{total:,}")
        if start not in (0, have):
            self.part.unlink()
            raise NetworkError("the server sent another piece than the one requested")
        if not start:
            self.part.unlink(missing_ok=True)
            self.version.unlink(missing_ok=True)
            etag = response.headers.get("ETag", "")
            version = response.headers.get("Last-Modified") if etag[:2] in ("", "W/") else etag
            if version and not self.file.checksum:
                write_atomically(self.version, version)
        self._append(response, self.file.bytes or total)

    def _append(self, response: Response, expected: int | None) -> None:
        """Write what comes, until it is all there."""
        done = had = self.done
        since = time.monotonic()
        with writing(self.part):
            out = self.part.open("ab", buffering=0)  # what has come stays, however this ends
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
            "address, size and checksum of the right one with --catalog"
        )

    def _explain_status(self, response: Response, have: int) -> None:
        """Return where all is there already; else raise what the server's refusal comes to."""
        status = f"{response.status} {response.reason}"
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return
            self.part.unlink()
            raise NetworkError("the part and the server's file do not fit together")
        if response.status >= 500 or response.status in (408, 429):
            raise NetworkError(f"the server answers {status}")
        raise LimnerError(
            f"{self.file.url}: the server answers {status}; try again later, or give another "
            "address with --catalog"
        )
