"""Connections whose every operation keeps to the deadline of the exchange that they serve."""

from __future__ import annotations

import io
import re
import socket
import ssl
from contextlib import ExitStack
from time import monotonic
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
)

from scrapekit.download.exchange import Exchange
from scrapekit.download.guard import check_addresses
from scrapekit.download.head import HeadedResponse
from scrapekit.download.resolver import Addresses
from scrapekit.download.socks import Socks
from scrapekit.errors import ConnectError

_SLICE = 65_536  # bytes sent under one timeout
_UNREACHED = re.compile(r"Tunnel connection failed: (50[234])\b").match  # what urllib3 says of an answer to CONNECT
_BUFFER = 32_768  # bytes: a typical page in one system call


class PlainConnection(HTTPConnection):
    """An HTTP connection, used by one thread at a time, under the deadline of its current exchange."""

    exchange: Exchange  # set by the pool when it hands the connection out, like the next
    socks: Socks | None = None  # the proxy that the way to the target leads through

    def connect(self) -> None:
        """Look up, connect, and shake hands with a proxy or by TLS, within the connect timeout and the total."""
        exchange = self.exchange
        exchange.phase = "connecting"
        exchange.until = min(monotonic() + exchange.terms.connect, exchange.ends)
        super().connect()
        exchange.until = exchange.ends
        exchange.opened += 1
        exchange.watch(self.sock)
        exchange.phase = "sending the request"

    def _new_conn(self) -> socket.socket:
        """A connected socket: urllib3's own would give every address the whole timeout again."""
        host, socks = self.host.strip("[]"), self.socks
        if socks is None:
            return self._dial(host, self.port, check=self.proxy is None)
        if not socks.remote:
            host = self._addresses(host, self.port, check=True)[0][4][0]
        sock = None
        try:
            sock = self._dial(socks.host, socks.port, check=False)
            socks.tunnel(sock, host, self.port, self.exchange)
            self.exchange.tunnelled = True
        except (NewConnectionError, NameResolutionError, ConnectionError) as error:
            raise ProxyError("no connection through it", error) from error
        finally:
            if sock is not None and not self.exchange.tunnelled:
                sock.close()
        return sock

    def _dial(self, host: str, port: int, *, check: bool) -> socket.socket:
        """A socket connected to that place, the target's or a proxy's; ``check`` as for :meth:`_addresses`."""
        exchange = self.exchange
        resolver = exchange.terms.resolver
        addresses = self._addresses(host, port, check=check)
        failure: OSError = TimeoutError("the look-up of the name took all the time")
        dead = set()  # families by which the network led nowhere, as far as we have seen here
        for index, (family, kind, protocol, _, address) in enumerate(addresses):
            left = exchange.until - monotonic()
            if left <= 0:
                break
            sock = None
            try:
                sock = socket.socket(family, kind, protocol)
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(left / (len(addresses) - index))  # an address that hangs leaves the others their share
                exchange.watch(sock)
                sock.connect(address)
                sock.settimeout(max(exchange.until - monotonic(), 0.001))
            except OSError as error:
                failure = error
                resolver.failed(address)
                if not isinstance(error, ConnectionError):  # that would be the host's doing
                    dead.add(family)
            else:
                resolver.worked(address, family, dead)
                return sock
            if sock is not None:
                sock.close()
        resolver.forget(host, port)
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"no connection to {host}:{port} in time") from failure
        raise NewConnectionError(self, str(failure)) from failure

    def _addresses(self, host: str, port: int, *, check: bool) -> Addresses:
        """Where to connect to. They are looked up once and then only used, so that what was checked is what is used.

        With ``check``, which is for targets, they must be what the exchange's terms allow.
        """
        exchange = self.exchange
        terms = exchange.terms
        exchange.phase = "looking up the host name"
        try:
            addresses = terms.resolver.addresses(host, port, exchange.until)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except socket.gaierror as error:
            raise NameResolutionError(host, self, error) from error
        exchange.phase = "connecting"
        if check and terms.public_only:
            check_addresses(addresses)
        return addresses

    def _tunnel(self) -> None:
        """Ask the proxy for a tunnel, and leave TLS the rest of the connect timeout.

        Raises:
            OSError: There is none: the proxy refused, or the connection to it broke.
            ConnectError: The proxy says that it did not reach the target (RFC 9110, 15.6.3 to 15.6.5).
        """
        try:
            super()._tunnel()
        except OSError as error:
            if found := _UNREACHED(str(error)):
                what = f"no connection through the proxy {self.host}:{self.port}: it answers {found[1]}"
                raise ConnectError(what) from error
            raise
        self.exchange.tunnelled = True
        self.sock.settimeout(max(self.exchange.until - monotonic(), 0.001))

    def send(self, data: Any) -> None:
        """Send bytes within the deadline: urllib3 would use the timeout that is left over from connecting."""
        if self.sock is None:
            self.connect()
        exchange = self.exchange
        for start in range(0, len(data), _SLICE):
            self.sock.settimeout(exchange.read_timeout or 0.001)
            self.sock.sendall(data[start : start + _SLICE] if len(data) > _SLICE else data)

    def response_class(self, sock: Any, *_: Any, method: str | None = None) -> HeadedResponse:  # type: ignore[override]
        """http.client's response, but read through our own :class:`_Wire`: proxies' answers to CONNECT as well."""
        exchange = self.exchange
        if exchange.phase != "connecting":
            exchange.phase = "waiting for the response"
        return HeadedResponse(_Wire(sock, exchange), exchange.note_defects, method)


class TLSConnection(PlainConnection, HTTPSConnection):
    """An HTTPS connection under the deadline of its current exchange."""

    def connect(self) -> None:
        """As :meth:`PlainConnection.connect`."""
        with ExitStack() as self._while_connecting:
            super().connect()
        self.sock.suppress_ragged_eofs = False  # type: ignore[union-attr]  # it is TLS now; _Wire wants to see them

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # The handshake detaches the socket object, so that abort() needs a second one for the same connection.
        self.exchange.watch(self._while_connecting.enter_context(sock.dup()))
        return sock

    def _connect_tls_proxy(self, hostname: str, sock: socket.socket) -> Any:
        outer = super()._connect_tls_proxy(hostname, sock)
        return _Outer(outer, self) if self.proxy_is_tunneling else outer


class _Outer:
    """The TLS socket to a proxy, as urllib3 wraps it once more for TLS to the target.

    What that reads of the inner TLS it reads in a loop, with a timeout for each turn. So here each turn gets what is
    left of the connection's present exchange.
    """

    def __init__(self, sock: Any, connection: TLSConnection) -> None:
        self.socket = sock
        self._connection = connection

    def recv(self, size: int) -> bytes:
        exchange = self._connection.exchange
        left = exchange.until - monotonic()
        if left <= 0:
            raise TimeoutError("the total timeout ran out")
        self.socket.settimeout(min(left, exchange.terms.read))
        data: bytes = self.socket.recv(size)
        return data

    @property
    def _io_refs(self) -> int:
        """The files made of it, which urllib3 counts up here and down by a method of the socket."""
        count: int = self.socket._io_refs  # noqa: SLF001  (urllib3's SSLTransport wants it of its socket)
        return count

    @_io_refs.setter
    def _io_refs(self, count: int) -> None:
        self.socket._io_refs = count  # noqa: SLF001  (as above)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.socket, name)


class _Wire(io.RawIOBase):
    """The raw bytes of one response: each read waits no longer than the deadline allows, and is counted."""

    def __init__(self, sock: Any, exchange: Exchange) -> None:
        self._file = sock.makefile("rb", 0)  # keeps the socket open until the response is read
        self._sock = sock
        self.exchange = exchange
        self.ended = False

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client asks of a socket."""
        return _Buffer(self, _BUFFER)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.ended:
            return 0
        exchange = self.exchange
        exchange.arm(self._sock)
        try:
            size: int = self._sock.recv_into(buffer)
        except ssl.SSLEOFError:
            exchange.unclean = True  # anybody on the way may have cut it; a Content-Length or chunks would show that
            return 0
        exchange.count(size)
        return size

    def has_more(self) -> bool:
        """Whether TLS has decrypted bytes that nobody has read: looking at the socket would not show them."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def close(self) -> None:
        self._file.close()
        super().close()


class _Buffer(io.BufferedReader):
    """A buffer that tells its exchange when bytes are left in it after the response's end.

    They belong to no request: a connection that has them must not be used again.
    """

    raw: _Wire

    def close(self) -> None:
        self.raw.ended = True
        if self.peek(1) or self.raw.has_more():
            self.raw.exchange.extra = True
        super().close()
