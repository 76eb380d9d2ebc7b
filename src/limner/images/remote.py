"""Images by URL: downloads with limits, a cache on disk, and a placeholder.

`image_from_url` draws a placeholder for missing images, as most of COCO's Flickr links, so that
notebooks run.
"""

import hashlib
import os
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from limner.errors import InputError, LimnerError
from limner.http import NetworkError, PrivateAddressError, RefusedError, get
from limner.images.images import check_image, load_image, source_name
from limner.images.limits import USUAL_LIMITS, ImageLimits
from limner.io import write_atomically
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
    """Download an image file, and check that it can be decoded.

    Its name and content type are not considered. The file is cached under the SHA-256 of the
    address; with `ImageLimits.allow_private`, in a separate entry.

    Args:
        url: http or https.
        timeout: seconds for the whole download, including redirects.
        max_bytes: maximum size of the file.
        limits: limits on addresses and images.
        cache: folder of the cache; None is ``$XDG_CACHE_HOME/limner/images``, or the same under
            ``~/.cache``.

    Returns:
        The file's bytes.

    Raises:
        InputError: in one line that starts with the address: another scheme, no such host, a
            private address, a timeout, an error of the server, too many bytes, or not an
            image.
    """
    name = source_name(Path(url)) if not url.isprintable() else url
    key = f"private {url}" if limits.allow_private else url
    kept = (cache or _default_cache()) / hashlib.sha256(key.encode(errors="replace")).hexdigest()
    with suppress(InputError, OSError):  # missing or damaged: download it again
        content = kept.read_bytes()
        check_image(content, name, limits)
        return content
    content = _download(url, name, timeout, max_bytes, limits.allow_private)
    check_image(content, name, limits)
    with suppress(LimnerError):  # not an error
        write_atomically(kept, content)
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
    """Return the image at an address as upright RGB.

    Args:
        url, timeout, max_bytes, limits, cache: as for `fetch_bytes`.
        size_hint: as for `load_image`.

    Raises:
        InputError: as `fetch_bytes` does.
    """
    content = fetch_bytes(url, timeout=timeout, max_bytes=max_bytes, limits=limits, cache=cache)
    return load_image(content, size_hint=size_hint, limits=limits)


def image_from_url(url: str) -> UInt8[np.ndarray, "H W 3"]:
    """Load an image by its address or path, or draw a placeholder with the reason.

    Args:
        url: http or https, ``file://``, or a path on this machine. Limits and cache are those
            that `fetch_image` has by default, and private addresses are refused.

    Returns:
        uint8 (H, W, 3); a placeholder has 240 x 320 pixels.

    Example:
        >>> image_from_url("absent.jpg").shape
        (240, 320, 3)
    """
    try:
        scheme = urlsplit(url).scheme.lower()
        if scheme in ("http", "https"):
            return np.asarray(fetch_image(url))
        path = url2pathname(urlsplit(url).path) if scheme == "file" else url
        return np.asarray(load_image(path))
    except (InputError, ValueError) as error:
        reason = str(error).removeprefix(f"{url}: ")
        return np.asarray(placeholder(reason, url))


def placeholder(reason: str, url: str, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Draw a grey image of ``size`` (width, height) with ``url`` and the reason.

    Args:
        reason: why the image is missing.
        url: its address.
        size: width and height in pixels.

    Example:
        >>> placeholder("the image is gone", "http://example.org/cat.jpg").size
        (320, 240)
    """
    width, height = size
    image = Image.new("RGB", size, (225, 225, 225))
    draw = ImageDraw.Draw(image)
    draw.rectangle((4, 4, width - 5, height - 5), outline=(150, 150, 150))
    font = ImageFont.load_default()
    columns = max(8, int((width - 28) / font.getlength("n")))
    lines = [*textwrap.wrap(reason, columns), "", *textwrap.wrap(url, columns)]
    text = "\n".join(lines).encode("ascii", "replace").decode()  # the characters of every font
    draw.multiline_text((14, 14), text, fill=(60, 60, 60), font=font, spacing=4)
    return image


def _default_cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "limner" / "images"


def _download(url: str, name: str, timeout: float, max_bytes: int, allow_private: bool) -> bytes:
    """Download a file, within the limits.

    It runs in a thread that is abandoned after the timeout: a socket's own timeout
    restarts with each byte received, and host name lookup has none.
    """
    outcome: list[bytes | Exception] = []

    def work() -> None:
        try:
            outcome.append(_read(url, deadline, max_bytes, allow_private))
        except Exception as error:  # raised in the waiting thread
            outcome.append(error)

    deadline = time.monotonic() + timeout
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout)
    match outcome[0] if outcome else NetworkError(TimeoutError()):
        case bytes(content):
            return content
        case NetworkError(timed_out=True):
            problem = f"no whole image within {timeout:g} seconds; try again"
        case NetworkError() as error:
            problem = f"cannot be reached ({error}); check the address and the network"
        case PrivateAddressError() as error:
            problem = f"{error}; `allow_private` allows it"
        case RefusedError() as error:
            problem = f"{error}; check the address"
        case error:
            problem = str(error)
    raise InputError(f"{name}: {problem}")


def _read(url: str, deadline: float, max_bytes: int, allow_private: bool) -> bytes:
    """Read an address to its end, or until a limit."""
    too_large = InputError(f"more than {max_bytes:,} bytes; use a smaller image")
    timeout = max(0.01, deadline - time.monotonic())
    with get(url, timeout=timeout, allow_private=allow_private, proxies=allow_private) as response:
        if "photo_unavailable" in (response.geturl() or ""):  # for a photograph that was deleted
            raise InputError("the image is gone from Flickr; leave it out")
        if not 200 <= response.status < 300:
            status = f"{response.status} {response.reason}"
            raise InputError(f"the server answers {status}; check the address")
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
