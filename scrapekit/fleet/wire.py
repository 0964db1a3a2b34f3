"""How leases and outcomes travel between processes: MessagePack of the typed messages, never pickle."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import TypeVar

import msgspec

from scrapekit.fleet.records import Logged
from scrapekit.messages import Failed, Fetched, Lease, Outcome, Redirected

encode = msgspec.msgpack.Encoder().encode
"""A list of leases (and the ids of those to be given up) or of outcomes as bytes. Any thread."""

T = TypeVar("T")
_MOST = 256

_leases = msgspec.msgpack.Decoder(list[Lease | int])
_outcomes = msgspec.msgpack.Decoder(list[Fetched | Redirected | Failed | Logged])


def decode_leases(data: bytes) -> list[Lease | int]:
    """What :data:`encode` made of leases."""
    return _leases.decode(data)


def decode_outcomes(data: bytes) -> list[Outcome]:
    """What :data:`encode` made of outcomes; log records between them are said here."""
    outcomes: list[Outcome] = []
    for one in _outcomes.decode(data):
        if isinstance(one, Logged):
            one.say()
        else:
            outcomes.append(one)
    return outcomes


def together(queue: SimpleQueue[T], linger: float = 0.0) -> list[T]:
    """Whatever is in the queue, at most 256. Waits for the first, and ``linger`` seconds more for others to come.

    While one batch travels, the next one gathers.
    """
    batch = [queue.get()]
    if linger:
        time.sleep(linger)
    try:
        while len(batch) < _MOST:
            batch.append(queue.get_nowait())
    except Empty:
        pass
    return batch
