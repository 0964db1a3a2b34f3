"""The :class:`FakeFleet`: workers, inbox and start requests in one thread, under a fake clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from random import Random

from scrapekit.engine import Inbox
from scrapekit.engine.contract import Post
from scrapekit.errors import Quarantined
from scrapekit.messages import Failed, Lease, Lost, Outcome, Request, Seeded, link_of
from scrapekit.testing.clock import FakeClock

_MOMENT = 1e-5  # seconds that a post takes, or a look into the empty inbox: time always passes


class FakeFleet(Inbox):
    """A fleet that is its own inbox: when the engine would sleep, the clock jumps to what happens next.

    Each lease takes a latency of its own, drawn from the seed, so outcomes come in any order; the same seed gives the
    same crawl. One thread.

    Args:
        process: Turns a lease into its outcome, for instance ``SimulatedWeb.worker(spider).process``. It runs when the
            lease is done, not when it is submitted. It may also answer as a fleet
            of processes does, with a batch or a Lost; None is a callback that never returns.
        clock: Is advanced.
        workers: Leases at once.
        seed: Of the latencies.
        latency: The shortest and the longest, in seconds.

    Attributes:
        capacity: Leases that can be worked on at once.
        submitted: All leases so far, with the time of their submission.
        open: Leases under way.
        closed: Whether :meth:`close` was called.
    """

    def __init__(
        self,
        process: Callable[[Lease], Outcome | list[Outcome] | Lost | None],
        clock: FakeClock,
        *,
        workers: int = 8,
        seed: int = 0,
        latency: tuple[float, float] = (0.01, 0.5),
    ) -> None:
        super().__init__()
        self.capacity = workers
        self.isolates = False
        self.submitted: list[tuple[float, Lease]] = []
        self.open = 0
        self.closed = False
        self._process = process
        self._clock = clock
        self._random = Random(seed)
        self._latency = latency
        # A heap: (when, turn, latency, what).
        self._events: list[tuple[float, int, float, Lease | Callable[[], None]]] = []
        self._turn = 0
        self._hanging: set[int] = set()

    def submit(self, lease: Lease) -> None:
        """Start work on a lease.

        Raises:
            AssertionError: All workers are busy, or it is closed.
        """
        assert self.open < self.capacity, "submitted although no worker is free"
        assert not self.closed, "submitted to a closed fleet"
        self.open += 1
        self.submitted.append((self._clock.now(), lease))
        latency = self._random.uniform(*self._latency)
        self._at(self._clock.now() + latency + self.late(lease), latency, lease)

    def late(self, lease: Lease) -> float:  # noqa: ARG002  (for those who know better)
        """Seconds that the callback of a lease takes, after the latency."""
        return 0.0

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Call ``act`` when the clock shows ``when``: ``engine.stop``, or something that raises, for a crash."""
        self._at(when, 0.0, act)

    def abandon(self, lease_id: int, *, by_force: bool) -> bool:  # noqa: ARG002  (part of the protocol)
        """Give up a lease whose callback never returns; one that will is not reported as such."""
        if lease_id in self._hanging:
            self._hanging.remove(lease_id)
            self.open -= 1
            self.post(Failed(id=lease_id, error=Quarantined.__name__, message="it has not returned", final=True))
        return True

    def close(self, deadline: float) -> None:  # noqa: ARG002  (part of the protocol)
        """Idempotent; nothing waits here."""
        self.closed = True

    def take(self, timeout: float) -> list[Post]:
        """What has been posted, or else what happens first within ``timeout`` seconds: the clock advances to it."""
        posts = super().take(0)
        if posts:
            self._clock.advance(len(posts) * _MOMENT)
            return posts
        until = self._clock.now() + max(timeout, _MOMENT)
        if not self._events or self._events[0][0] > until:
            self._clock.advance(until - self._clock.now())
            return []
        self._clock.advance(self._events[0][0] - self._clock.now())
        while self._events and self._events[0][0] <= self._clock.now():
            _, _, latency, event = heappop(self._events)
            if not isinstance(event, Lease):
                event()
                continue
            self.open -= 1
            outcome = self._process(event)
            if outcome is None:
                self.open += 1
                self._hanging.add(event.id)
                continue
            if isinstance(outcome, Outcome):
                outcome.elapsed = latency if outcome.status else 0.0
            self.post(outcome)
        return super().take(0)

    def _at(self, when: float, latency: float, event: Lease | Callable[[], None]) -> None:
        self._turn += 1
        heappush(self._events, (when, self._turn, latency, event))


class FakeSeeds:
    """Start requests that are pulled in the engine's own thread, when it asks. One thread.

    Args:
        start: ``Spider.start``.
        post: ``FakeFleet.post``.
        skip: Requests that an earlier run took.
    """

    def __init__(
        self, start: Callable[[], Iterable[Request]], post: Callable[[Seeded], object], *, skip: int = 0
    ) -> None:
        self._start = start
        self._post = post
        self._skip = skip
        self._requests: Iterator[Request] | None = None

    def ask(self, count: int) -> None:
        """Post the next ``count``, or fewer and that there are no more."""
        if self._requests is None:
            self._requests = iter(self._start())
            for _ in range(self._skip):
                next(self._requests, None)
        for _ in range(count):
            request = next(self._requests, None)
            if request is None:
                self._post(Seeded([], exhausted=True))
                return
            self._post(Seeded([link_of(request)]))

    def close(self) -> None:
        """Nothing was opened."""
