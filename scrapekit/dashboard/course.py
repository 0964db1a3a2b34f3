"""The :class:`Course`: how a crawl went over the last minutes, as points of a chart."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from scrapekit.engine import Snapshot

_POINTS = 600
_RATE = 5  # points that the rate is the mean of
_LATENCY = 10  # points whose exchanges the percentiles are of


class Point(Struct, frozen=True):
    """One second: numbers a second, and how long exchanges took that ended in the last ten; None: there were none."""

    n: int
    pages: float
    requests: float
    failed: float
    retries: float
    p50: float | None
    p90: float | None
    p99: float | None


class Course:
    """Makes a point of each two snapshots. For one thread, but for :attr:`points`."""

    def __init__(self) -> None:
        self.points: tuple[Point, ...] = ()
        """The last ten minutes, the oldest first; replaced, never changed, so any thread may read it."""
        self._seen: deque[Snapshot] = deque(maxlen=_LATENCY + 1)
        self._n = 0

    @property
    def rate(self) -> float:
        """Pages a second over the last five."""
        last = self.points[-_RATE:]
        return sum(point.pages for point in last) / len(last) if last else 0.0

    def add(self, snapshot: Snapshot) -> None:
        """A second later it stands like this."""
        before = self._seen[-1] if self._seen else None
        self._seen.append(snapshot)
        if before is None:
            return
        took = snapshot.at - before.at
        self._n += 1
        latency = snapshot.latency.since(self._seen[0].latency)
        point = Point(
            self._n,
            _each_second(snapshot.pages - before.pages, took),
            _each_second(snapshot.requests - before.requests, took),
            _each_second(snapshot.failed - before.failed, took),
            _each_second(snapshot.retries - before.retries, took),
            *map(latency.quantile, (0.5, 0.9, 0.99)),
        )
        self.points = (*self.points, point)[-_POINTS:]


def _each_second(count: int, seconds: float) -> float:
    """A snapshot that is the same again is of an engine that does not turn."""
    return max(0, count) / seconds if seconds > 0 else 0.0
