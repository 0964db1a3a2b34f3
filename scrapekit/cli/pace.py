"""How fast the crawl goes, over its last minute, and when it will be done, where that can be known."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scrapekit.engine import Snapshot

RATE_SECONDS = 5.0
MINUTE = 60  # seconds that the sparkline goes back
_TREND_SECONDS = 30.0  # what an estimate looks back on
_LEAST_SECONDS = 6.0  # an estimate from less would jump about


class Progress(NamedTuple):
    """How far the crawl is.

    Args:
        share: From 0 to 1.
        seconds: Until it is done, at the pace of the last half minute.
    """

    share: float
    seconds: float


class _Sample(NamedTuple):
    at: float
    pages: int
    items: int
    pending: int


class Pace:
    """Learns from one snapshot after the other. For one thread.

    Args:
        max_pages: The crawl ends after so many; None where it has no such limit.
        max_items: The same for items.
    """

    def __init__(self, max_pages: int | None = None, max_items: int | None = None) -> None:
        self._max_pages = max_pages
        self._max_items = max_items
        self._samples: deque[_Sample] = deque([_Sample(0.0, 0, 0, 0)])
        self._seconds: deque[int] = deque([0], MINUTE + 1)  # pages at each whole second
        self._second = 0

    def add(self, snapshot: Snapshot) -> None:
        """The newest snapshot."""
        now, pages = snapshot.elapsed_now, snapshot.pages_now
        samples = self._samples
        if now > samples[-1].at:
            samples.append(_Sample(now, pages, snapshot.items, snapshot.pending))
        while len(samples) > 2 and samples[1].at <= now - _TREND_SECONDS:
            samples.popleft()
        while self._second < int(now):
            self._second += 1
            self._seconds.append(pages)

    def rate(self) -> float:
        """Pages a second, over the last five seconds."""
        return self._per_second(self._before(RATE_SECONDS))

    def bars(self) -> list[int]:
        """Pages in each of the last sixty seconds, or of as many as there were, the newest last."""
        seen = list(self._seconds)
        return [after - before for before, after in itertools.pairwise(seen)]

    def progress(self, snapshot: Snapshot) -> Progress | None:
        """How far the crawl is with this snapshot; None where nobody can know, for a site tells not how large it is.

        It is known where a limit will end the crawl, because the queue has enough for it, and guessed where the queue
        has been getting shorter for a while.
        """
        first, last = self._before(_TREND_SECONDS), self._samples[-1]
        passed = last.at - first.at
        if passed < _LEAST_SECONDS or snapshot.paused or snapshot.reason:
            return None
        found = []
        pages = self._per_second(first)
        if self._max_pages and pages > 0 and (left := max(0, self._max_pages - snapshot.pages)) <= snapshot.pending:
            found.append(Progress(snapshot.pages / self._max_pages, left / pages))
        if self._max_items and (items := (last.items - first.items) / passed) > 0:
            left = max(0, self._max_items - snapshot.items)
            if left * pages / items <= snapshot.pending:
                found.append(Progress(snapshot.items / self._max_items, left / items))
        middle = self._before(passed / 2)
        if first.pending > middle.pending > last.pending:
            shrinks = (first.pending - last.pending) / passed
            found.append(Progress(1 - snapshot.pending / max(snapshot.queued, 1), snapshot.pending / shrinks))
        return min(found, key=lambda each: each.seconds, default=None)

    def _before(self, seconds: float) -> _Sample:
        """The newest sample that is at least so old, or else the oldest."""
        until = self._samples[-1].at - seconds
        found = self._samples[0]
        for sample in self._samples:
            if sample.at > until:
                break
            found = sample
        return found

    def _per_second(self, first: _Sample) -> float:
        last = self._samples[-1]
        return (last.pages - first.pages) / (last.at - first.at) if last.at > first.at else 0.0


def duration(seconds: float) -> str:
    """Seconds as people say them: ``42 s``, ``3 min``, ``1 h 20 min``. Pure."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"
