"""One request as a fault sees it, and the ways to answer that no HTTP library would lend itself to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

_PIECE = 65_536


class Talk:
    """One request on one connection, in the thread of that connection.

    When a fault returns, the connection stays open for the next request, unless :meth:`close` was called.

    Args:
        sock: The connection: a socket, or one that speaks TLS.
        closing: Set when the server closes.
        patience: Seconds after which a client that does not give up is given up.
        method: Of the request; empty on a raw door, like the rest.
        target: Path and query.
        headers: Names in lower case.
        body: Of the request.
        turn: The number of the request on its connection, from 1.
        visit: How often this target of this origin was asked for, this time included.
        base: ``scheme://host:port`` of the door that it came in by.
        plain: Says the origin where the same paths are served by plain HTTP; empty on a raw door.
    """

    def __init__(
        self,
        sock: socket.socket,
        closing: threading.Event,
        patience: float,
        *,
        method: str = "",
        target: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        turn: int = 0,
        visit: int = 0,
        base: str = "",
        plain: Callable[[], str] = str,
    ) -> None:
        self.sock = sock
        self.method = method
        self.target = target
        self.headers = headers or {}
        self.body = body
        self.turn = turn
        self.visit = visit
        self.base = base
        self.plain = plain
        self.over = False
        """Whether the connection ends here."""
        self.abrupt = False
        """Whether it ends without TLS's own end (RFC 8446, 6.1)."""
        self.closing = closing
        self._until = time.monotonic() + patience

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def page(self) -> bytes:
        """A small page with the marker of the path in it."""
        return b"<!doctype html><title>fault</title><p>[scrapekit " + self.path.encode() + b"]</p>"

    def send(self, *parts: bytes) -> None:
        """Send them at once."""
        self.sock.sendall(b"".join(parts))

    def drip(self, data: bytes = b"x", every: float = 0.05) -> None:
        """Send ``data`` again and again, ``every`` so many seconds, until the client gives up."""
        with suppress(OSError):
            while not self.closing.wait(every) and time.monotonic() < self._until:
                self.sock.sendall(data)
        self.over = True

    def flood(self, data: bytes) -> None:
        """Send ``data`` without end, as fast as the client takes it, until it gives up."""
        many = data * max(1, _PIECE // len(data))
        with suppress(OSError):
            while not self.closing.is_set() and time.monotonic() < self._until:
                self.sock.sendall(many)
        self.over = True

    def hang(self) -> None:
        """Read and say nothing, until the client gives up."""
        with suppress(OSError):
            self.sock.settimeout(max(self._until - time.monotonic(), 0.001))
            while self.sock.recv(_PIECE):
                pass
        self.over = True

    def wait(self) -> None:
        """Neither read nor say anything, until the server closes or its patience ends."""
        self.closing.wait(max(self._until - time.monotonic(), 0))
        self.over = True

    def cut(self) -> None:
        """End the connection after this, as somebody on the way would who does not have the keys."""
        self.over = self.abrupt = True

    def close(self) -> None:
        """End the connection in good order after this."""
        self.over = True

    def reset(self) -> None:
        """End the connection by RST after this."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.over = self.abrupt = True


def head(*headers: str, status: str = "200 OK", version: str = "HTTP/1.1") -> bytes:
    """The head of a response, with the empty line that ends it."""
    return "\r\n".join([f"{version} {status}", *headers, "", ""]).encode("latin-1")


def reply(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A response as it should be; HTML unless the headers say otherwise."""
    typed = headers if any(line.lower().startswith("content-type:") for line in headers) else (*headers, HTML)
    return head(*typed, f"Content-Length: {len(body)}", status=status) + body


HTML = "Content-Type: text/html; charset=utf-8"
CHUNKED = "Transfer-Encoding: chunked"


def chunk(data: bytes) -> bytes:
    """One chunk (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)
