"""What an application of the test server is given and what it answers: a function from RequestView to Reply."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.client import responses


@dataclass(frozen=True, slots=True)
class RequestView:
    """One request as it arrived. Immutable.

    Args:
        time: When its head was complete, in seconds of ``time.monotonic()``.
        method: As sent.
        target: Path and query, as sent.
        headers: Names in lower case; the values of a repeated name are joined with ``", "``.
        body: Empty without Content-Length.
        visit: How often this server has been asked for this target, this time included.
        closing: Set when the server closes: an application that blocks should wait for it too.
    """

    time: float
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    visit: int
    closing: threading.Event

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def host(self) -> str:
        """The host name of the Host header, in lower case and without the port; empty without the header."""
        return host_name(self.headers)


@dataclass(frozen=True)
class Reply:
    """What an application answers. Immutable, so one reply may be sent any number of times, from any thread.

    Args:
        body: Sent with its Content-Length.
        status: The status code.
        headers: Name and value pairs, sent in this order.
        delay: Seconds by which this answer is held back; a large number is a page that hangs.
        close: End the connection after this answer.
    """

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=utf-8"),)
    delay: float = 0.0
    close: bool = False

    @cached_property
    def head(self) -> bytes:
        """The status line and the headers, with the empty line."""
        lines = [
            f"HTTP/1.1 {self.status} {responses.get(self.status, '')}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        lines += [f"Content-Length: {len(self.body)}", *(["Connection: close"] if self.close else []), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    @cached_property
    def wire(self) -> bytes:
        """The whole answer, as sent to a GET."""
        return self.head + self.body


Application = Callable[[RequestView], Reply]
"""What :func:`serve` serves: any function from a request to its answer. Called by the server's threads."""


def host_name(headers: Mapping[str, str]) -> str:
    """The host name of a Host header, in lower case and without the port; empty without the header."""
    return headers.get("host", "").partition(":")[0].lower()
