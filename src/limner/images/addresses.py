"""Connections to public addresses alone, so that a link does not reach into a private network.

A name is looked up once, all that it stands for is checked, and the connection goes to an address
that was checked: a name that answers otherwise the second time (DNS rebinding) gains nothing. Every
redirect makes a new connection and is checked anew.
"""

import http.client
import ipaddress
import socket
import ssl
import urllib.request

from limner.errors import InputError

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet, and so is an IPv4 address inside it.

    Private, loopback, link-local, shared, reserved, multicast and unspecified addresses are not.
    IPv6 carries IPv4 in three ways (mapped, NAT64, 6to4), and then both count.

    Raises:
        ValueError: not an IP address.

    Example:
        >>> [is_public(a) for a in ("8.8.8.8", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::808:808")]
        [True, False, False, True]
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64:
            found = ipaddress.IPv4Address(found.packed[-4:])
        elif found.sixtofour:
            return is_public(str(found.sixtofour))
        elif found.ipv4_mapped:
            found = found.ipv4_mapped
        elif found not in _GLOBAL_UNICAST:
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved)


def connect(host: str, port: int, timeout: float | None) -> socket.socket:
    """Open a connection to a host all of whose addresses are public.

    Raises:
        InputError: one of them is not; the message says which.
        OSError: no such host, or none of its addresses answers.

    Example:
        >>> connect("0x7f.1", 80, 1.0)
        Traceback (most recent call last):
        limner.errors.InputError: 0x7f.1 is 127.0.0.1, a private address; --allow-private fetches it
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if not is_public(str(address[0])):
            which = "" if address[0] == host else f"{host} is {address[0]}, "
            raise InputError(f"{which}a private address; --allow-private fetches it")
    failed = OSError("no address")
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = connect(self.host, self.port, self.timeout)


class _TLSConnection(_Connection):
    """The certificate is the name's, whichever of its addresses answers."""

    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


class PublicHTTP(urllib.request.HTTPHandler):
    """What urllib opens http addresses with."""

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class PublicHTTPS(urllib.request.HTTPSHandler):
    """What urllib opens https addresses with."""

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_TLSConnection, req)
