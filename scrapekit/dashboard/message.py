"""What the server and the site say to each other: a question and an answer."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import NamedTuple

import msgspec

TEXT = "text/plain; charset=utf-8"
EVENTS = "text/event-stream"
SAME = b": nothing new\n\n"
"""What a stream says now and then, so that one whose reader has gone is noticed."""


class Question(NamedTuple):
    """A request that has been let in.

    Args:
        method: ``GET`` or ``POST``.
        path: Without the query.
        query: The last value of each name.
        accept: The Accept header.
    """

    method: str
    path: str
    query: Mapping[str, str]
    accept: str = ""


class Answer(NamedTuple):
    """What to send."""

    status: int
    media_type: str
    body: bytes


class Stream(NamedTuple):
    """Server-sent events, one after the other while there are any. A generator is closed when nobody listens."""

    events: Generator[bytes, None, None]


def text(status: int, line: str) -> Answer:
    """A line of text."""
    return Answer(status, TEXT, f"{line}\n".encode(errors="replace"))


def event(name: str, value: object) -> bytes:
    """A value as a server-sent event: JSON has no line ends (HTML, 9.2.6)."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(value))
