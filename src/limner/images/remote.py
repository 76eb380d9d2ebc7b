"""Pictures by their address: downloads with limits, a cache on disk, and a drawn stand-in.

Photographs that a dataset names by URL vanish: most of COCO's Flickr links are gone. A notebook
that shows them must go on, so `image_from_url` draws what it could not get.
"""

import hashlib
import http.client
import os
import string
import tempfile
import textwrap
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit, urlunsplit

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from limner.errors import InputError
from limner.images.addresses import PublicHTTP, PublicHTTPS
from limner.images.images import check_picture, load_image, source_name
from limner.images.limits import USUAL_LIMITS, ImageLimits
from limner.typing import UInt8

MAX_BYTES = 20_000_000
_CHUNK = 64 * 1024


def fetch_bytes(
    url: str,
    *,
    timeout: float = 10.0,
    max_bytes: int = MAX_BYTES,
    limits: ImageLimits = USUAL_LIMITS,
    cache: Path | None = None,
) -> bytes:
    """Return a picture's file from an address, once it has shown that it can be decoded.

    Whether it is a picture is found by decoding it; its name and the server's word do not count.
    Its bytes are kept in ``cache`` under the SHA-256 of the address, and read from there the
    next time; what came with `ImageLimits.allow_private` is kept apart, and read with it alone.

    Args:
        url: http or https.
        timeout: seconds for the whole download, redirects and all.
        max_bytes: a larger answer is refused, at the latest when that many have come.
        limits: what is refused of addresses and images.
        cache: folder for the bytes; ``$XDG_CACHE_HOME/limner/images``, or the same under
            ``~/.cache``, where it is None.

    Raises:
        InputError: in one line that starts with the address: another scheme, no such host, a
            private address, no answer in time, an error from the server, too many bytes, not a
            picture.
    """
    name = source_name(Path(url)) if not url.isprintable() else url
    key = f"private {url}" if limits.allow_private else url
    kept = (cache or _default_cache()) / hashlib.sha256(key.encode(errors="replace")).hexdigest()
    with suppress(InputError, OSError):  # absent, or damaged since: fetch it anew
        content = kept.read_bytes()
        check_picture(content, name, limits)
        return content
    content = _download(_checked(url, name), name, timeout, max_bytes, limits.allow_private)
    check_picture(content, name, limits)
    _keep(kept, content)
    return content


def fetch_image(
    url: str,
    *,
    timeout: float = 10.0,
    max_bytes: int = MAX_BYTES,
    limits: ImageLimits = USUAL_LIMITS,
    cache: Path | None = None,
    size_hint: int | None = None,
) -> Image.Image:
    """Return the picture at an address as upright RGB.

    Args:
        url, timeout, max_bytes, limits, cache: as for `fetch_bytes`.
        size_hint: as for `load_image`.

    Raises:
        InputError: as `fetch_bytes` does.
    """
    content = fetch_bytes(url, timeout=timeout, max_bytes=max_bytes, limits=limits, cache=cache)
    return load_image(content, size_hint=size_hint, limits=limits)


def image_from_url(url: str) -> UInt8[np.ndarray, "H W 3"]:
    """Return a picture by its address or path, or a drawn note that says why there is none.

    Args:
        url: http or https, ``file://``, or a path on this machine. Limits and cache are those
            that `fetch_image` has by default, and private addresses are refused.

    Returns:
        uint8 (H, W, 3); 240 x 320 pixels of grey with the reason and the address where the
        picture cannot be had.

    Example:
        >>> image_from_url("absent.jpg").shape
        (240, 320, 3)
    """
    try:
        scheme = urlsplit(url).scheme.lower()
        if scheme in ("http", "https"):
            return np.asarray(fetch_image(url))
        path = urllib.request.url2pathname(urlsplit(url).path) if scheme == "file" else url
        return np.asarray(load_image(path))
    except (InputError, ValueError) as error:
        reason = str(error).removeprefix(f"{url}: ")
        return np.asarray(placeholder(reason, url))


def placeholder(reason: str, url: str, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Draw a grey picture of ``size`` (width, height) that says why ``url`` cannot be shown.

    Example:
        >>> placeholder("the picture is gone", "http://example.org/cat.jpg").size
        (320, 240)
    """
    width, height = size
    image = Image.new("RGB", size, (225, 225, 225))
    draw = ImageDraw.Draw(image)
    draw.rectangle((4, 4, width - 5, height - 5), outline=(150, 150, 150))
    font = ImageFont.load_default()
    columns = max(8, int((width - 28) / font.getlength("n")))
    lines = [*textwrap.wrap(reason, columns), "", *textwrap.wrap(url, columns)]
    text = "\n".join(lines).encode("ascii", "replace").decode()  # all that every font has
    draw.multiline_text((14, 14), text, fill=(60, 60, 60), font=font, spacing=4)
    return image


def _default_cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "limner" / "images"


def _keep(path: Path, content: bytes) -> None:
    """Write to the cache whole or not at all; a disk that will not have it is no error."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(draft).replace(path)
        except OSError:
            Path(draft).unlink(missing_ok=True)


def _checked(url: str, name: str) -> str:
    """Return an address that may be asked, with what must not stand in one quoted."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise InputError(f"{name}: not an address ({error}); check it") from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise InputError(f"{name}: only http and https addresses are fetched; check the address")
    path, query = (
        quote(part, safe=string.punctuation, errors="replace") for part in (parts.path, parts.query)
    )
    netloc = parts.netloc
    if not netloc.isascii():
        try:
            netloc = host.encode("idna").decode() + (f":{parts.port}" if parts.port else "")
        except ValueError as error:
            raise InputError(f"{name}: not an address ({error}); check it") from None
    return urlunsplit((parts.scheme, netloc, path, query, ""))


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows at most five redirects, each to an address that might have been asked for."""

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
        if "photo_unavailable" in newurl:  # Flickr's stand-in for a deleted photograph
            fp.close()
            raise InputError("the picture is gone from Flickr; leave it out")
        try:
            checked = _checked(newurl, f"redirected to {newurl}")
        except InputError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, checked)


def _download(url: str, name: str, timeout: float, max_bytes: int, allow_private: bool) -> bytes:
    """Return what the address answers, within the limits.

    It runs in a thread that is left to itself when time is up: a socket's own time limit starts
    anew with each byte that drips in, and looking up a host's name has none.
    """
    outcome: list[bytes | Exception] = []

    def work() -> None:
        try:
            outcome.append(_read(url, deadline, max_bytes, allow_private))
        except Exception as error:  # handed over to the thread that waits
            outcome.append(error)

    deadline = time.monotonic() + timeout
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout)
    found = outcome[0] if outcome else TimeoutError()
    if isinstance(found, bytes):
        return found
    raise InputError(f"{name}: {_complaint(found, timeout)}")


def _read(url: str, deadline: float, max_bytes: int, allow_private: bool) -> bytes:
    """Read an address to its end, or until a limit."""
    public = () if allow_private else (PublicHTTP, PublicHTTPS, urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(_CheckedRedirects, *public)
    request = urllib.request.Request(url, headers={"User-Agent": "limner (image captioning)"})
    too_large = InputError(f"more than {max_bytes:,} bytes; use a smaller picture")
    with opener.open(request, timeout=max(0.01, deadline - time.monotonic())) as response:
        if int(response.headers.get("Content-Length") or 0) > max_bytes:
            raise too_large
        content = bytearray()
        while chunk := response.read1(_CHUNK):
            content += chunk
            if len(content) > max_bytes:
                raise too_large
            if time.monotonic() > deadline:
                raise TimeoutError
    return bytes(content)


def _complaint(error: Exception, timeout: float) -> str:
    """Say in plain words why a download failed, and what to do."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if error.code in range(300, 400):
            return "redirected more than five times, or to what is not fetched; check the address"
        return f"the server answers {error.code} {error.reason}; check the address".replace(
            "\n", " "
        )
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return f"no whole picture within {timeout:g} seconds; try again"
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return f"cannot be reached ({' '.join(text.split())}); check the address and the network"
