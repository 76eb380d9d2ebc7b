"""The HTTP client of images and datasets, and the one place that refuses private addresses.

A host name is resolved once, all its addresses are checked, and the connection goes to one of them:
a second resolution with another result (DNS rebinding) changes nothing. Every redirect makes a new
connection, which is checked in the same way.
"""

import ipaddress
import socket
import ssl
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util import Url, make_headers, parse_url

Response = BaseHTTPResponse
MAX_REDIRECTS = 5

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class RefusedError(Exception):
    """Why an address, or one that it redirects to, is not fetched."""


class PrivateAddressError(RefusedError):
    """The address belongs to this machine or to a private network."""


class NetworkError(Exception):
    """No response, or a part of one; it may be worth another try.

    Args:
        cause: what happened, in words or as the exception that the system raised.
    """

    def __init__(self, cause: str | BaseException) -> None:
        self.timed_out = isinstance(cause, TimeoutError)
        text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        super().__init__("the server is silent" if self.timed_out else " ".join(text.split()))


@contextmanager
def get(
    url: str,
    *,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
    proxies: bool = False,
) -> Iterator[Response]:
    """Request an address, follow up to five redirects, and return the response, unread.

    The response has any status, its body is not decompressed, and it may be shorter than announced.

    Args:
        url: http or https; invalid characters are quoted.
        timeout: seconds for each wait: for the connection, and for every read.
        headers: sent besides the name of this program.
        allow_private: whether private addresses are fetched, too.
        proxies: whether the proxies of the environment (``http_proxy``) are used. A proxy resolves
            host names itself, so what goes through one is not checked.

    Raises:
        PrivateAddressError: a host is not public.
        RefusedError: neither http nor https, redirected too often or from https to http, or a
            certificate that is not valid.
        NetworkError: no such host, no connection, or it breaks off, also while the body is read.

    Example:
        >>> with get("http://127.0.0.1/cat.jpg", timeout=1):
        ...     pass
        Traceback (most recent call last):
        limner.http.PrivateAddressError: a private address
    """
    response = None
    headers = {"User-Agent": "limner (image captioning)", **(headers or {})}
    try:
        target = _target(url)
        for _ in range(1 + MAX_REDIRECTS):
            response = _manager(target, allow_private, proxies).urlopen(
                "GET",
                target.url,
                redirect=False,
                headers=headers,
                retries=False,
                timeout=timeout,
                preload_content=False,
                decode_content=False,
                enforce_content_length=False,
            )
            location = response.get_redirect_location()
            if not location:
                break
            response.close()
            target = _redirected(target, location)
        else:
            raise RefusedError("redirected more than five times")
        yield response
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        cause = _cause(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise RefusedError(
                f"the server cannot prove who it is ({cause.verify_message}), or this machine's "
                "clock is wrong"
            ) from None
        raise NetworkError(cause) from None
    finally:
        if response:
            response.close()


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet, and so is an IPv4 address inside it.

    Private, loopback, link-local, shared, reserved, multicast and unspecified addresses are not.
    IPv6 carries IPv4 in three ways (mapped, NAT64, 6to4), and then both count.

    Args:
        address: an IPv4 or IPv6 address.

    Raises:
        ValueError: not an IP address.

    Example:
        >>> [is_public(a) for a in ("8.8.8.8", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::808:808")]
        [True, False, False, True]
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        translated = ipaddress.IPv4Address(found.packed[-4:]) if found in _NAT64 else None
        inside = found.ipv4_mapped or found.sixtofour or translated
        if not inside and found not in _GLOBAL_UNICAST:
            return False
        found = inside or found
    return found.is_global and not (found.is_multicast or found.is_reserved)


def is_private_host(url: str) -> bool:
    """Whether a host has an address that is not public, as far as this machine resolves its name.

    Example:
        >>> is_private_host("http://127.0.0.1/cats.zip")
        True
    """
    with suppress(RefusedError, OSError, ValueError):  # get() says what is wrong with it
        target = _target(url)
        addresses = [] if _proxy_of(target) else _resolve((target.host or "").strip("[]"), None)
        return not all(map(is_public, addresses))
    return False


def _resolve(host: str, port: int | None) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class _PublicConnection(HTTPConnection):
    """Connects to a host all of whose addresses are public."""

    def _new_conn(self) -> socket.socket:
        addresses = _resolve(self.host, self.port)
        for address in addresses:
            if not is_public(address):
                which = "" if address == self.host else f"{self.host} is {address}, "
                raise PrivateAddressError(f"{which}a private address")
        *others, last = addresses
        for address in others:
            with suppress(OSError):
                return socket.create_connection((address, self.port), self.timeout)
        return socket.create_connection((last, self.port), self.timeout)


class _PublicTLSConnection(_PublicConnection, HTTPSConnection):
    """The certificate must be that of the name, whichever of its addresses answers."""


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicTLSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicTLSConnection


def _manager(target: Url, allow_private: bool, proxies: bool) -> PoolManager:
    if proxies and (proxy := _proxy_of(target)):
        login = unquote(parse_url(proxy).auth or "") or None
        return ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=login))
    manager = PoolManager()
    if not allow_private:
        manager.pool_classes_by_scheme = {"http": _PublicPool, "https": _PublicTLSPool}
    return manager


def _proxy_of(target: Url) -> str | None:
    proxy = getproxies().get(target.scheme or "")
    if not proxy or proxy_bypass(target.netloc or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _target(url: str) -> Url:
    """The parts of an address that may be requested."""
    try:
        parts = urlsplit(url)
        if not parts.netloc.isascii():
            host = (parts.hostname or "").encode("idna").decode()
            netloc = host + (f":{parts.port}" if parts.port else "")
            url = parts._replace(netloc=netloc).geturl()
        found = parse_url(url)
    except ValueError as error:
        raise RefusedError(f"not an address ({' '.join(str(error).split())})") from None
    if found.scheme not in ("http", "https") or not found.host:
        raise RefusedError("only http and https addresses are fetched")
    return found


def _redirected(target: Url, location: str) -> Url:
    """The next address, unless it may not be followed."""
    url = urljoin(target.url, quote(location, string.punctuation, "latin-1"))  # as headers are read
    try:
        found = _target(url)
    except RefusedError as error:
        raise RefusedError(f"redirected to {url}: {error}") from None
    if (target.scheme, found.scheme) == ("https", "http"):
        raise RefusedError(f"redirected to {url}: from https to http is not followed")
    return found


def _cause(error: BaseException) -> BaseException:
    """The exception that urllib3 has wrapped, in one or more of its own."""
    inner = (error.__cause__, *error.args)
    return next((_cause(one) for one in inner if isinstance(one, BaseException)), error)
