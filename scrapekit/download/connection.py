"""Connections whose every operation keeps to the deadline of the exchange that they serve."""

from __future__ import annotations

import io
import socket
from contextlib import ExitStack
from time import monotonic
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)

from scrapekit.download.exchange import Exchange
from scrapekit.download.head import HeadedResponse

_SLICE = 65_536  # bytes sent under one timeout
_BUFFER = 32_768  # bytes: a typical page in one system call


class PlainConnection(HTTPConnection):
    """An HTTP connection, used by one thread at a time, under the deadline of its current exchange."""

    exchange: Exchange  # set by the pool when it hands the connection out

    def connect(self) -> None:
        """Connect, and shake hands with a proxy or by TLS, within the connect timeout and the total."""
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
        exchange = self.exchange
        host = self.host.strip("[]")
        try:
            addresses = exchange.terms.resolve(host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(host, self, error) from error
        except UnicodeError as error:
            raise LocationParseError(host) from error  # a label is empty or too long
        failure: OSError = OSError("the host name has no address")
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
            else:
                return sock
            if sock is not None:
                sock.close()
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"no connection to {host}:{self.port} in time") from failure
        raise NewConnectionError(self, str(failure)) from failure

    def _tunnel(self) -> None:
        """Ask the proxy for a tunnel, and leave TLS the rest of the connect timeout."""
        super()._tunnel()
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

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # The handshake detaches the socket object, so that abort() needs a second one for the same connection.
        self.exchange.watch(self._while_connecting.enter_context(sock.dup()))
        return sock


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
        size: int = self._sock.recv_into(buffer)
        exchange.count(size)
        return size

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
        if self.peek(1):
            self.raw.exchange.extra = True
        super().close()
