"""The :class:`Exchange`: one request's budget of time and bytes, known to everything that touches its socket."""

from __future__ import annotations

import contextlib
import socket
from time import monotonic
from typing import Any, NamedTuple

from urllib3.util import Timeout

from scrapekit.download.resolver import Resolver
from scrapekit.errors import BodyTooLarge

_HEAD = 2**20  # bytes on the wire that are not body: status lines, headers, chunk sizes, trailers


class Terms(NamedTuple):
    """What every exchange of one downloader has in common. Immutable.

    Args:
        connect: Seconds for the look-up of the name, TCP, a proxy's tunnel and TLS together, over all addresses.
        read: Seconds for one read or write.
        slot: Seconds to wait for a connection of the pool.
        max_body: Bytes of the body, on the wire and decoded.
        resolver: Finds the addresses of a host name.
        public_only: Whether a connection may be made to public addresses only; those of proxies may be others.
        max_ratio: Decoded bytes of a large body for each byte on the wire.
        spool_above: Bytes of a body from which on it is kept in a file.
        spool_dir: Folder of that file; None for the system's.
    """

    connect: float
    read: float
    slot: float
    max_body: int
    resolver: Resolver = Resolver()
    public_only: bool = False
    max_ratio: int = 250
    spool_above: int = 8 * 2**20
    spool_dir: str | None = None


class Exchange(Timeout):
    """One request's budget of time and bytes, and what happened to it so far.

    urllib3 takes it as its ``timeout`` and as its ``pool_timeout``, which is how it reaches the connection. It belongs
    to the thread that fetches; only :meth:`abort` may be called from another.

    Args:
        terms: The downloader's.
        total: Seconds from now on for everything.
    """

    def __init__(self, terms: Terms, total: float) -> None:
        self.terms = terms
        self.total = total
        self.started = monotonic()
        self.ends = self.started + total
        self.phase = "waiting for a connection"
        self.attempt(fresh=False)
        self.opened = 0
        self.aborted = False
        self._socket: Any = None

    def __repr__(self) -> str:
        return f"<Exchange {self.phase}, {self.remaining():.1f} s left>"

    def attempt(self, *, fresh: bool) -> None:
        """Begin an attempt; a ``fresh`` one never uses an open connection."""
        self.fresh = fresh
        self.until = self.ends  # when the present phase has to be over
        self.reused = False  # the connection was open already
        self.tunnelled = False  # the connection leads through a proxy that has done its part
        self.received = 0  # bytes of responses, as they came over the connection
        self.armed = 0.0  # the timeout that the socket has now
        self.extra = False  # there were bytes after the end of the response
        self.defects = False  # the header section had lines that are not headers
        self.cut = False  # the rest of the body was left unread
        self.unclean = False  # the TLS connection ended without a close_notify

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return monotonic() - self.started

    @property
    def plain(self) -> bool:
        """Whether nothing about it was odd."""
        return not (self.fresh or self.defects or self.extra or self.unclean or self.cut)

    @property
    def expired(self) -> bool:
        """Whether the total is used up."""
        return monotonic() >= self.ends

    def remaining(self) -> float:
        """Seconds until the total is used up; 0 when it is."""
        return max(self.ends - monotonic(), 0.0)

    # What urllib3 asks of a Timeout.

    def clone(self) -> Exchange:
        """Itself: urllib3 clones a timeout because it thinks that requests share it."""
        return self

    def start_connect(self) -> float:
        """Nothing to start: the clock has been running since the beginning."""
        return self.started

    @property
    def connect_timeout(self) -> float:
        """Seconds for the next step of connecting; positive."""
        return min(self.terms.connect, max(self.ends - monotonic(), 0.001))

    @property
    def read_timeout(self) -> float:
        """Seconds for the next read; 0 makes urllib3 give up."""
        self.armed = min(self.terms.read, max(self.until - monotonic(), 0.0))
        return self.armed

    # What the connection and the body ask.

    def note_defects(self) -> None:
        """The header section had lines that are not headers."""
        self.defects = True

    def check(self) -> None:
        """Raises TimeoutError once the total is used up."""
        if self.expired:
            raise TimeoutError("the total timeout ran out")

    def arm(self, sock: Any) -> None:
        """Let ``sock`` wait for the next bytes, but not beyond the total.

        Raises:
            TimeoutError: The total is used up.
        """
        left = self.until - monotonic()
        if left < self.armed:  # else the timeout that it has is right: mostly no system call is needed
            if left <= 0:
                raise TimeoutError("the total timeout ran out")
            self.armed = left
            sock.settimeout(left)

    def count(self, size: int) -> None:
        """Count bytes that came from the socket.

        Raises:
            BodyTooLarge: They are more than headers and a body in many small chunks can need. This holds whatever the
                framing says, so that no chunk size can make http.client read without end.
        """
        self.received += size
        if self.received > 2 * self.terms.max_body + _HEAD:
            raise BodyTooLarge(f"the response goes on after {self.received} bytes")

    def watch(self, sock: Any) -> None:
        """Take note of the socket that :meth:`abort` has to break; None while there is none."""
        self._socket = sock
        if self.aborted:  # between two sockets
            self.abort()

    def abort(self) -> None:
        """Make the fetch fail soon, whatever it waits for. Any thread."""
        self.aborted = True  # before the look at the socket: watch() writes and looks in the other order
        sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):  # it ended by itself meanwhile
                while not isinstance(sock, socket.socket):  # TLS within TLS
                    sock = sock.socket
                # Not sock.shutdown(): that of an SSLSocket drops the TLS state under the feet of the reading thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
