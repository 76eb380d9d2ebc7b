"""One transfer by HTTP: request what is missing of a file, and append it."""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from urllib3 import BaseHTTPResponse

from limner.download.catalog import RemoteFile
from limner.errors import LimnerError
from limner.http import NetworkError, RefusedError, get, is_private_host
from limner.io import write_atomically, writing

SLOWEST = 100  # bytes a second: a server that drips is as good as silent
_CHUNK = 256 * 1024


def receive(
    file: RemoteFile,
    part: Path,
    update: Callable[[int, int], None] = lambda done, total: None,
    timeout: float = 30.0,
) -> None:
    """Request what is missing of ``part``, once, and append it.

    A server of a private network may be named, and may redirect within it; a public one may not
    redirect to a private address.

    Raises:
        NetworkError: what has been received is kept; worth another try.
        LimnerError: in one line that starts with the address, where another try is of no use.

    Example:
        >>> part = Path("cats.zip.part")
        >>> _ = part.write_bytes(b"all of it")
        >>> receive(RemoteFile(url="https://example.org/cats.zip", bytes=9), part)
    """
    have = part.stat().st_size if part.exists() else 0
    if have == file.bytes:
        return
    headers = _range_headers(file, part, have)
    have = have if headers else 0
    private = is_private_host(file.url)
    try:
        with get(
            file.url, timeout=timeout, headers=headers, allow_private=private, proxies=True
        ) as response:
            if not 200 <= response.status < 300:
                _explain_status(response, file, part, have)
                return
            start, total = _span(response, have)
            if file.bytes and total not in (None, file.bytes):
                raise _another_size(file, f"{total:,}")
            if start not in (0, have):
                part.unlink()
                raise NetworkError("the server sent another piece than the one requested")
            if not start:
                _begin(response, file, part)
            _append(response, file, part, start, total, update, timeout)
    except RefusedError as error:
        raise LimnerError(f"{file.url}: {error}; give another address with --catalog") from None


def version_path(part: Path) -> Path:
    """Where the server's mark of the file's version is kept while its part is there.

    Example:
        >>> version_path(Path("cats.zip.part")).name
        'cats.zip.part.version'
    """
    return part.with_name(f"{part.name}.version")


def _range_headers(file: RemoteFile, part: Path, have: int) -> dict[str, str]:
    """Headers that request what follows the part; none where the two might not belong together.

    A checksum verifies the whole. Without one, the server must say that its file has not changed.
    """
    if not have or have > (file.bytes or have):
        return {}
    headers = {"Range": f"bytes={have}-"}
    if not (file.sha256 or file.md5):
        version = version_path(part)
        if not version.exists():
            return {}
        headers["If-Range"] = version.read_text("utf-8")
    return headers


def _span(response: BaseHTTPResponse, have: int) -> tuple[int, int | None]:
    """Where a response begins, and the size of the whole file where the server says it."""
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        stated = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", response.headers.get("Content-Range", ""))
        if not stated:
            return have, None
        start, total = stated.groups()
        return int(start), None if total == "*" else int(total)
    return 0, response.length_remaining  # all of it, whatever was requested


def _begin(response: BaseHTTPResponse, file: RemoteFile, part: Path) -> None:
    """Drop what was there; note the version that the server names, for want of a checksum."""
    part.unlink(missing_ok=True)
    version_path(part).unlink(missing_ok=True)
    etag = response.headers.get("ETag", "")
    version = response.headers.get("Last-Modified") if etag[:2] in ("", "W/") else etag
    if version and not (file.sha256 or file.md5):
        write_atomically(version_path(part), version)


def _append(
    response: BaseHTTPResponse,
    file: RemoteFile,
    part: Path,
    start: int,
    total: int | None,
    update: Callable[[int, int], None],
    timeout: float,
) -> None:
    """Write what comes, until it is all there."""
    expected, done = file.bytes or total, start
    since, had = time.monotonic(), done
    with writing(part):
        out = part.open("ab", buffering=0)  # what has come stays, however the process ends
    with out:
        while chunk := response.read1(_CHUNK):
            done += len(chunk)
            if done > (expected or done):
                part.unlink()
                raise _another_size(file, f"more than {expected:,}")
            with writing(part):
                while chunk:
                    chunk = chunk[out.write(chunk) :]
            update(done, expected or done)
            if time.monotonic() - since > timeout:
                if done - had < SLOWEST * timeout:
                    raise NetworkError("the server is too slow")
                since, had = time.monotonic(), done
    if done < (expected or 0):
        raise NetworkError(f"the connection broke off after {done:,} of {expected:,} bytes")


def _another_size(file: RemoteFile, found: str) -> LimnerError:
    expected = f", not the {file.bytes:,} that are expected" if file.bytes else ""
    return LimnerError(
        f"{file.url}: the server sends {found} bytes{expected}: another file; give the address, "
        "size and checksum of the right one with --catalog"
    )


def _explain_status(response: BaseHTTPResponse, file: RemoteFile, part: Path, have: int) -> None:
    """Return where the part is the whole file; else raise what the server's refusal comes to."""
    status = f"{response.status} {response.reason}"
    if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
        if response.headers.get("Content-Range") == f"bytes */{have}":
            return
        part.unlink()
        raise NetworkError("the part and the server's file do not fit together")
    if response.status >= 500 or response.status in (408, 429):
        raise NetworkError(f"the server answers {status}")
    raise LimnerError(
        f"{file.url}: the server answers {status}; try again later, or give another address "
        "with --catalog"
    )
