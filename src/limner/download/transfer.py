"""One transfer by http: asks for what is missing of a file, and appends what comes."""

import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from limner.download.catalog import RemoteFile
from limner.errors import LimnerError
from limner.io import write_atomically, writing

SLOWEST = 100  # bytes a second: a server that drips is as good as silent
_CHUNK = 256 * 1024


class BrokenOffError(Exception):
    """The connection ended too early: worth another try."""


def receive(
    file: RemoteFile,
    part: Path,
    update: Callable[[int, int], None] = lambda done, total: None,
    timeout: float = 30.0,
) -> None:
    """Ask for what is missing of ``part``, once, and append it.

    Raises:
        BrokenOffError: what has come is kept; to be asked again.
        LimnerError: in one line that starts with the address, where asking again is no use.

    Example:
        >>> part = Path("cats.zip.part")
        >>> _ = part.write_bytes(b"all of it")
        >>> receive(RemoteFile(url="https://example.org/cats.zip", bytes=9), part)
    """
    request = urllib.request.Request(file.url, headers={"User-Agent": "limner (image captioning)"})
    have = part.stat().st_size if part.exists() else 0
    if have == file.bytes:
        return
    if have and not _ask_for_the_rest(request, file, part, have):
        have = 0
    opener = urllib.request.build_opener(_CheckedRedirects)
    try:
        with opener.open(request, timeout=timeout) as answer:
            start, total = _span(answer, have)
            if file.bytes and total not in (None, file.bytes):
                raise _another_size(file, f"{total:,}")
            if start not in (0, have):
                part.unlink()
                raise BrokenOffError("the server sent another piece than the one asked for")
            if not start:
                _begin(answer, file, part)
            _append(answer, file, part, start, total, update, timeout)
    except urllib.error.HTTPError as error:
        _explain_status(error, file, part, have)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise LimnerError(
                f"{file.url}: the server cannot prove who it is ({reason.verify_message}); "
                "check the address and this machine's clock"
            ) from None
        raise BrokenOffError(_plain(reason)) from None


def version_path(part: Path) -> Path:
    """Where the server's mark of the file's version is kept while its part is there.

    Example:
        >>> version_path(Path("cats.zip.part")).name
        'cats.zip.part.version'
    """
    return part.with_name(f"{part.name}.version")


def _ask_for_the_rest(
    request: urllib.request.Request, file: RemoteFile, part: Path, have: int
) -> bool:
    """Ask from where the part ends; False where nothing could tell that the two belong together.

    A checksum judges the whole. Without one, the server must say that its file is still the same.
    """
    if have > (file.bytes or have):
        return False
    if not (file.sha256 or file.md5):
        version = version_path(part)
        if not version.exists():
            return False
        request.add_header("If-Range", version.read_text("utf-8"))
    request.add_header("Range", f"bytes={have}-")
    return True


def _span(answer: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where an answer begins, and the size of the whole file where the server says it."""
    if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
        stated = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", answer.headers.get("Content-Range", ""))
        if not stated:
            return have, None
        start, total = stated.groups()
        return int(start), None if total == "*" else int(total)
    return 0, answer.length  # all of it, whatever was asked for


def _begin(answer: http.client.HTTPResponse, file: RemoteFile, part: Path) -> None:
    """Drop what was there; note the version that the server names, for want of a checksum."""
    part.unlink(missing_ok=True)
    version_path(part).unlink(missing_ok=True)
    etag = answer.headers.get("ETag", "")
    version = answer.headers.get("Last-Modified") if etag[:2] in ("", "W/") else etag
    if version and not (file.sha256 or file.md5):
        write_atomically(version_path(part), version)


def _append(
    answer: http.client.HTTPResponse,
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
        while chunk := answer.read1(_CHUNK):
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
                    raise BrokenOffError("the server is too slow")
                since, had = time.monotonic(), done
    if done < (expected or 0):
        raise BrokenOffError(f"the connection broke off after {done:,} of {expected:,} bytes")


def _another_size(file: RemoteFile, found: str) -> LimnerError:
    expected = f", not the {file.bytes:,} that are expected" if file.bytes else ""
    return LimnerError(
        f"{file.url}: the server sends {found} bytes{expected}: another file; give the address, "
        "size and checksum of the right one with --catalog"
    )


def _explain_status(error: urllib.error.HTTPError, file: RemoteFile, part: Path, have: int) -> None:
    """Return where all is there already; else raise what the server's refusal comes to."""
    with error:
        status = " ".join(f"{error.code} {error.reason}".split())
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            raise BrokenOffError("the part and the server's file do not fit together")
        if error.code >= 500 or error.code in (408, 429):
            raise BrokenOffError(f"the server answers {status}")
        raise LimnerError(
            f"{file.url}: the server answers {status}; try again later, or give another address "
            "with --catalog"
        )


def _plain(reason: object) -> str:
    """A network's complaint in a few words."""
    if isinstance(reason, TimeoutError):
        return "the server is silent"
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return " ".join(text.split())


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows at most five redirects, to http and https alone, and never from https to http."""

    max_redirections = 5

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme.lower()
        if scheme != "https" and (scheme != "http" or req.type == "https"):
            fp.close()
            raise LimnerError(
                f"{req.full_url}: redirected to {newurl}, which is not followed; give another "
                "address with --catalog"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)
