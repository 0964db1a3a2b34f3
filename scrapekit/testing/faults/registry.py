"""The list of faults: what each one does, on which door, and what scrapekit answers."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from scrapekit.testing.faults.authority import Authority
from scrapekit.testing.faults.talk import Talk

Play = Callable[[Talk], None]


@dataclass(frozen=True, slots=True)
class Door:
    """A port of a fault's own, for what goes wrong before a path is known, and for what holds for a whole origin.

    Args:
        scheme: Of the URL that leads to it.
        kind: ``requests``: as on the common ports, requests are read and played. ``raw``: played as soon as the
            connection is accepted, with nothing read. ``closed``: nobody listens. ``full``: nobody accepts, and the
            queue of connections that wait is full. ``nowhere``: an address that no connection can reach.
        context: Makes the TLS that it speaks; None for the common one (``https`` and ``requests`` only).
        proxy: Where it is a proxy that is at fault: the scheme of the page that is to be fetched through it.
    """

    scheme: Literal["http", "https"] = "http"
    kind: Literal["requests", "raw", "closed", "full", "nowhere"] = "requests"
    context: Callable[[Authority], ssl.SSLContext] | None = None
    proxy: Literal["http", "https"] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a server does wrong, or that is right and yet hard.

    Args:
        path: ``/group/name``: where it is served, and what it is called.
        answer: What scrapekit says to it: the name of an error class, ``ok``, or ``ok, flag NAME``.
        why: What is wrong, for docs/robustness.md: the docstring of ``play``.
        play: Does it.
        door: The port of its own, if it needs one.
        tls: Whether it is also played over TLS; what has a port of its own is not.
        request: Arguments for :class:`scrapekit.Request`, besides the URL.
        shows: What an ``ok`` body has in it: default the marker of its path, empty for a body that must be empty.
        slow: Whether it ends only at the client's deadline.
        second: Whether it shows on a connection that has served a good page of its origin before.
    """

    path: str
    answer: str
    why: str
    play: Play
    door: Door | None = None
    tls: bool = True
    request: Mapping[str, Any] = field(default_factory=dict)
    shows: bytes | None = None
    slow: bool = False
    second: bool = False

    @property
    def group(self) -> str:
        """The first part of its path."""
        return self.path.split("/")[1]

    @property
    def ok(self) -> bool:
        """Whether a response is what comes of it."""
        return self.answer.startswith("ok")

    @property
    def flag(self) -> str | None:
        """The flag that the response must have."""
        return self.answer.partition("flag ")[2] or None

    @property
    def body(self) -> bytes:
        """What an ``ok`` body has in it."""
        return marker(self.path) if self.shows is None else self.shows


FAULTS: dict[str, Fault] = {}
"""All faults by their path, in the order of the groups."""


def fault(path: str, answer: str, **options: Any) -> Callable[[Play], Play]:
    """Register the decorated function as what is played at ``path``; its docstring says what is wrong.

    Args:
        path: As for :class:`Fault`.
        answer: As for :class:`Fault`.
        options: The others of :class:`Fault`.
    """

    def register(play: Play) -> Play:
        assert path not in FAULTS, path
        assert play.__doc__, path
        FAULTS[path] = Fault(path, answer, " ".join(play.__doc__.split()), play, **options)
        return play

    return register


def marker(path: str) -> bytes:
    """What the body of ``path`` has in it and no other: an answer to another request is seen by it."""
    return f"[scrapekit {path}]".encode()
