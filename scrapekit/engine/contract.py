"""What the engine needs from outside, as protocols: hands, an output, an audience."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from scrapekit.errors import FleetError
from scrapekit.messages import Failed, Lease, Lost, Outcome, Seeded

Post = Outcome | list[Outcome] | Lost | Seeded | FleetError | None

_MOST = 256  # posts taken at once, so that commits and dispatch come in between


class Fleet(Protocol):
    """The workers. For each lease they post one outcome, or that it is lost, into the inbox they were made with."""

    @property
    def capacity(self) -> int:
        """Leases that can be worked on at once."""
        ...

    @property
    def isolates(self) -> bool:
        """Whether a lease that is to be ``alone`` gets a process of its own; otherwise the engine holds all others."""
        ...

    def submit(self, lease: Lease) -> None:
        """Start work on a lease; never blocks. The engine calls it only while fewer than ``capacity`` are out."""
        ...

    def abandon(self, lease_id: int, *, by_force: bool) -> bool:
        """Give up a lease that does not come back: report where it hangs, and put another worker in its place.

        The outcome is a :class:`Failed` by ``Quarantined``, and comes soon, or else the one that was late. ``by_force``
        is for workers that don't even answer: their process ends, and what it has is :class:`Lost`. False where nobody
        has begun with the lease.
        """
        ...

    def close(self, deadline: float) -> None:
        """End all work, waiting at most ``deadline`` seconds for what is under way. Idempotent."""
        ...


class Output(Protocol):
    """Where items go. Its position is saved in the same transaction as what it means."""

    def append(self, lines: Sequence[bytes], routes: Sequence[str]) -> None:
        """Append these lines, each as its route says; without routes, all of them everywhere."""
        ...

    def flush(self) -> None:
        """What was appended survives what ``crawl.durability`` says."""
        ...

    def position(self) -> dict[str, Any]:
        """How far the output is written, as JSON values."""
        ...

    def committed(self) -> None:
        """The last position is final."""
        ...


class Audience(Protocol):
    """Whoever is shown what has become final, for instance the caller of :func:`scrapekit.crawl`."""

    def committed(self, lines: Sequence[bytes], kept: Sequence[Any | Failed]) -> None:
        """These items and responses are final. May block: that is how back-pressure reaches the crawl."""
        ...


class Seeds(Protocol):
    """The spider's start requests, pulled lazily; they arrive in the inbox."""

    def ask(self, count: int) -> None:
        """Post the next ``count`` of them, as :class:`Seeded`, the last one ``exhausted``. Never blocks."""
        ...

    def close(self) -> None:
        """Pull no more."""
        ...


class Inbox:
    """What crosses from the workers to the engine: the one queue of the hot path."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Post] = SimpleQueue()
        self.post = self._queue.put
        """Post an outcome. Any thread, and signal handlers; ``None`` just wakes the engine."""

    def take(self, timeout: float) -> list[Post]:
        """All that has been posted; waits up to ``timeout`` seconds for the first. Engine thread only."""
        posts: list[Post] = []
        with contextlib.suppress(Empty):
            posts.append(self._queue.get(timeout=timeout) if timeout > 0 else self._queue.get_nowait())
            while len(posts) < _MOST:
                posts.append(self._queue.get_nowait())
        return posts
