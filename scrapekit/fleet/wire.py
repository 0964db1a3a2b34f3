"""How leases and outcomes travel between processes: MessagePack of the typed messages, never pickle."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

import msgspec

from scrapekit.download import PoolStats
from scrapekit.fleet.records import Logged
from scrapekit.messages import Failed, Fetched, Lease, Outcome, Redirected

encode = msgspec.msgpack.Encoder().encode
"""A list of leases, and the ids of those to be given up, as bytes. Any thread."""

decode_leases = msgspec.msgpack.Decoder(list[Lease | int]).decode
"""What :data:`encode` made of leases. Any thread."""

T = TypeVar("T")
_MOST = 256
_STATS_SECONDS = 1.0

_batch = msgspec.msgpack.Decoder(tuple[list[Fetched | Redirected | Failed | Logged], PoolStats | None])


class Outbox:
    """What a member has to tell: outcomes and log records, and once a second how its pools stand.

    Any thread puts, one takes; None is the end.

    Args:
        linger: Seconds to wait for more, once there is something to take.
    """

    def __init__(self, linger: float = 0.0) -> None:
        self._queue: SimpleQueue[Outcome | Logged | None] = SimpleQueue()
        self.put = self._queue.put
        self._linger = linger
        self._due = 0.0
        self._ended = False

    def take(self, stats: Callable[[], PoolStats]) -> bytes:
        """What is there, for :func:`decode_batch`; waits for something, a second at most. Empty after the end."""
        if self._ended:
            return b""
        batch = together(self._queue, self._linger, _STATS_SECONDS)
        self._ended = None in batch
        told = None
        if self._ended or time.monotonic() >= self._due:
            told, self._due = stats(), time.monotonic() + _STATS_SECONDS
        return encode(([each for each in batch if each is not None], told))


def decode_batch(data: bytes) -> tuple[list[Outcome], PoolStats | None]:
    """What :meth:`Outbox.take` gave; log records between the outcomes are said here."""
    batch, stats = _batch.decode(data)
    outcomes: list[Outcome] = []
    for one in batch:
        if isinstance(one, Logged):
            one.say()
        else:
            outcomes.append(one)
    return outcomes, stats


def together(queue: SimpleQueue[T], linger: float = 0.0, patience: float | None = None) -> list[T]:
    """Whatever is in the queue, at most 256. Waits for the first, and ``linger`` seconds more for others to come.

    While one batch travels, the next one gathers. After ``patience`` seconds without any it is empty.
    """
    batch = []
    try:
        batch.append(queue.get(timeout=patience))
        if linger:
            time.sleep(linger)
        while len(batch) < _MOST:
            batch.append(queue.get_nowait())
    except Empty:
        pass
    return batch
