"""One host in the scheduler's window: its queue, its slots, and the reason why it waits."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from scrapekit.messages import Request

INFINITY = float("inf")


class Limits(Protocol):
    """How hard one host may be asked; resolved from the settings for its name."""

    @property
    def maxsize(self) -> int:
        """Requests in flight, and connections of its pool: the same number."""
        ...

    @property
    def delay(self) -> float:
        """Seconds between the starts of two requests."""
        ...

    @property
    def jitter(self) -> float:
        """Up to this share of the delay is added to it at random."""
        ...

    @property
    def adaptive(self) -> bool:
        """Whether the limit may move below ``maxsize``."""
        ...


class Queued(Struct, frozen=True, gc=False):
    """A request in the window: leased from the frontier, not yet given to a worker."""

    id: int
    request: Request
    host: str
    depth: int = 0
    attempt: int = 0
    redirects: int = 0
    crashes: int = 0


class HostSnapshot(Struct, frozen=True):
    """How a host stands, and why it waits, for people to read.

    Args:
        name: Its name.
        in_flight: Requests that workers have.
        limit: How many may be in flight now: ``maxsize``, or what the adaptive limit allows.
        maxsize: How many may ever be.
        queued: Requests of it in the window; the frontier may hold more.
        pages: That it has given since it came into the window.
        reason: Why it gets no worker: ``delay``, ``Crawl-delay``, ``Retry-After``, ``robots.txt``, ``adaptive limit``,
            ``maxsize``; empty where it may have one.
        until: The clock's time when it goes on; infinity where an event decides, not the time.
        delay: Seconds between the starts of two requests; while it waits for that, this time's, with jitter.
    """

    name: str
    in_flight: int = 0
    limit: int = 0
    maxsize: int = 0
    queued: int = 0
    pages: int = 0
    reason: str = ""
    until: float = INFINITY
    delay: float = 0.0


class AdaptiveLimit:
    """How many requests a host gets at once: additive increase, multiplicative decrease (Chiu and Jain, 1989).

    It starts at half of ``maxsize``, doubles a round trip until the host first pushes back, then grows by one a round
    trip, while the latency holds: at most twice the best seen plus 50 ms, the slack of a busy client. It halves on
    429, 503 and timeouts, once a round trip: what was sent before the last cut says nothing new. Engine thread only.
    """

    __slots__ = ("_best", "_cut_at", "_maxsize", "_slow_start", "_value")

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._value = max(1.0, maxsize / 2)
        self._slow_start = True
        self._best = INFINITY
        self._cut_at = -INFINITY

    @property
    def value(self) -> int:
        """The limit now."""
        return int(self._value)

    def succeeded(self, latency: float) -> None:
        """A response came after ``latency`` seconds."""
        self._best = min(self._best, latency)
        if latency <= 2 * self._best + 0.05 and self._value < self._maxsize:
            self._value = min(float(self._maxsize), self._value + (1 if self._slow_start else 1 / self._value))

    def pushed_back(self, sent_at: float, now: float) -> None:
        """The host answered 429 or 503, or timed out, to a request that was sent at ``sent_at``."""
        if sent_at >= self._cut_at:
            self._cut_at = now
            self._slow_start = False
            self._value = max(1.0, self._value / 2)


class Host:
    """One host in the window. Engine thread only; the scheduler alone changes it."""

    __slots__ = (
        "_jitter", "blocked", "delay", "entry", "hidden", "in_flight", "last_start", "limit", "longest", "maxsize",
        "name", "not_before", "pace", "pages", "previous_start", "queue", "reason", "spacing",
    )  # fmt: skip

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.maxsize = limits.maxsize
        self.limit = AdaptiveLimit(limits.maxsize) if limits.adaptive and limits.maxsize > 1 else None
        self.delay = limits.delay
        self.pace = "delay"  # what the delay is: the settings', or the Crawl-delay of its robots.txt
        self._jitter = limits.jitter
        self.spacing = self.delay  # the delay with this turn's jitter
        self.queue: list[tuple[int, int, Queued]] = []  # a heap: (-priority, id, request)
        self.in_flight = 0
        self.pages = 0
        self.last_start = self.previous_start = -INFINITY
        self.longest = 0.0  # the longest delay that one of its requests asked for
        self.not_before = -INFINITY
        self.reason = ""  # why not_before
        self.blocked = ""  # why it waits for an event, such as its robots.txt; empty when it doesn't
        self.hidden: int | None = None  # the highest priority that the frontier may hold of it; None: it holds no more
        self.entry = 0  # the turn under which it stands in the scheduler's ready or parked heap; 0: in neither

    @property
    def slots(self) -> int:
        """Requests that it may have in flight now."""
        return self.maxsize if self.limit is None else self.limit.value

    @property
    def urgent(self) -> bool:
        """Whether the frontier may hold some that go before those queued here."""
        return self.hidden is not None and bool(self.queue) and self.hidden > -self.queue[0][0]

    def due(self) -> float:
        """The earliest time for its next request. It must have one queued."""
        own = self.queue[0][2].request.delay
        if own is None:
            return max(self.not_before, self.last_start + self.spacing)
        self.longest = max(self.longest, own)
        return max(self.not_before, self.last_start + own)

    def started(self, now: float, chance: float) -> None:
        """A request starts; ``chance`` in [0, 1) draws the jitter of the next delay."""
        self.in_flight += 1
        self.previous_start, self.last_start = self.last_start, now
        self.spacing = self.delay * (1 + self._jitter * chance)

    def idle(self, now: float, *, grudge: bool = False) -> bool:
        """Whether nothing would be lost by forgetting it; with ``grudge``, nothing but that it wanted to be spared."""
        if self.queue or self.in_flight or self.hidden is not None or self.blocked:
            return False
        if max(self.not_before, self.last_start + self.spacing) > now:
            return False
        return grudge or (self.last_start + self.longest <= now and self.slots * 2 >= self.maxsize)

    def weight(self, now: float) -> float:
        """By what hosts are ranked: its requests. One that is held may have retries in the frontier: it comes last."""
        return len(self.queue) + self.in_flight or (0.5 if self.not_before > now else 0.0)

    def snapshot(self, now: float) -> HostSnapshot:
        """How it stands."""
        reason, until = self._waits(now)
        delay = until - self.last_start if reason in {"delay", "Crawl-delay"} else self.delay
        return HostSnapshot(
            self.name, self.in_flight, self.slots, self.maxsize, len(self.queue), self.pages, reason, until, delay
        )

    def _waits(self, now: float) -> tuple[str, float]:
        """Why it doesn't get a worker although it has requests, and until when; an empty reason when it could."""
        if self.queue and self.blocked:
            return self.blocked, INFINITY
        if self.not_before > now:
            return self.reason, self.not_before
        if not self.queue:
            return "", INFINITY
        if self.in_flight >= self.slots:
            return "maxsize" if self.slots == self.maxsize else "adaptive limit", INFINITY
        due = self.due()
        if due <= now:
            return "", INFINITY
        own = self.queue[0][2].request.delay is not None
        return "delay" if own else self.pace, due
