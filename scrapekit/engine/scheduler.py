"""Which request goes next: a bounded window over the frontier, host by host."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush, nlargest
from itertools import islice
from random import Random
from typing import NamedTuple

from scrapekit.engine.batch import Row
from scrapekit.engine.host import INFINITY, Host, HostSnapshot, Limits, Queued

_WISHES = 256  # hosts that one commit leases for
_LOOK = 256  # hosts of the frontier to look at in one transaction


class Ready(NamedTuple):
    """This request may start now; its slot is taken."""

    queued: Queued


class Wait(NamedTuple):
    """Nothing may start before ``until``, unless an outcome arrives; infinity where only outcomes can help."""

    until: float


class Drained(NamedTuple):
    """The window is empty, nothing is in flight, and the frontier is not known to hold more that is due."""


class Refill(NamedTuple):
    """A wish to the frontier: up to ``limit`` requests of ``host``."""

    host: str
    limit: int


class Scheduler:
    """The window: at most ``max_hosts`` hosts and about ``window`` requests, so that memory is flat.

    Hosts take turns among those whose first request has the highest priority. A host that may not be asked now stands
    in no one's way: it is parked once, in a heap by time, or waits outside both heaps for the event that frees it.
    Deterministic: ``now`` is an argument, and so is the source of chance. Engine thread only.

    Args:
        limits: The limits for a host's name.
        chance: Draws the jitter of delays.
        window: Requests to hold in memory.
        max_hosts: Hosts to hold in memory.
    """

    def __init__(
        self, limits: Callable[[str], Limits], chance: Random, *, window: int = 4096, max_hosts: int = 16_384
    ) -> None:
        self._limits = limits
        self._chance = chance.random
        self._window = window
        self._max_hosts = max_hosts
        self._hosts: dict[str, Host] = {}
        self._ready: list[tuple[int, int, Host]] = []  # a heap: (-priority, turn, host)
        self._parked: list[tuple[float, int, Host]] = []  # a heap: (due, turn, host)
        self._turn = 0
        self._hungry: dict[str, Host] = {}  # hosts that want a refill, in order
        self._queued = 0
        self._stocked = 0  # hosts that have requests in the window
        self._in_flight = 0
        self.overflow = True  # the frontier may hold hosts that are not in the window; at start all of them
        self._looked = ""  # the host that a round of look() has come to; empty: none is under way

    @property
    def queued(self) -> int:
        """Requests in the window."""
        return self._queued

    @property
    def host_count(self) -> int:
        """Hosts in the window."""
        return len(self._hosts)

    @property
    def hungry(self) -> bool:
        """Whether a refill from the frontier would bring something."""
        return bool(self._hungry)

    @property
    def has_room(self) -> bool:
        """Whether the window is less than half full."""
        return self._queued * 2 < self._window

    @property
    def room(self) -> int:
        """Hosts that the window can still take."""
        return self._max_hosts - len(self._hosts)

    @property
    def overflow_room(self) -> bool:
        """Whether hosts that are only in the frontier should be brought in."""
        return (self.overflow or self._looked != "") and self.room > 0

    def starving(self, now: float) -> bool:
        """Whether a host could go on at once with what only the frontier has of it."""
        return any(
            not (host.queue or host.blocked) and host.in_flight < host.slots and host.not_before <= now
            for host in islice(self._hungry.values(), _WISHES)
        )

    def maxsize(self, name: str) -> int:
        """The most requests that a host may ever have in flight: its pool's ``maxsize``."""
        return self._host(name).maxsize

    def next(self, now: float) -> Ready | Wait | Drained:
        """The next request, and its host's slot with it, or why there is none."""
        parked = self._parked
        while parked and parked[0][0] <= now:
            _, turn, host = heappop(parked)
            if turn == host.entry:
                self._replace(host, now)
        while self._ready:
            _, turn, host = heappop(self._ready)
            if turn != host.entry:
                continue  # it was placed anew since
            if host.blocked or host.in_flight >= host.slots or host.due() > now:
                self._replace(host, now)
                continue
            queued = heappop(host.queue)[2]
            self._queued -= 1
            self._stocked -= not host.queue
            self._in_flight += 1
            host.started(now, self._chance())
            self._replace(host, now)
            self._feed(host)
            return Ready(queued)
        if self._queued or self._in_flight or self._hungry or self.overflow or self._looked:
            return Wait(parked[0][0] if parked else INFINITY)
        return Drained()

    def put_back(self, queued: Queued, now: float, *, gone: bool = False) -> None:
        """Undo a :class:`Ready`: the request did not start. With ``gone`` it never will."""
        host = self._hosts[queued.host]
        host.last_start = host.previous_start
        host.entry = 0  # it was placed as if the request had started
        if not gone:
            self._enqueue(host, queued)
        self.release(queued.host, now)

    def starts_late(self, name: str, now: float) -> bool:
        """The request that took this host's last slot was kept back, and starts only now; false where it may not."""
        host = self._hosts[name]
        if host.not_before > now:
            return False
        host.last_start = now
        return True

    def block(self, name: str, reason: str) -> None:
        """Park a host until :meth:`unblock`, for instance while its robots.txt is fetched."""
        self._host(name).blocked = reason

    def unblock(self, name: str, now: float) -> None:
        """End a :meth:`block`."""
        host = self._host(name)
        host.blocked = ""
        self._place(host, now)

    def take_slot(self, name: str, now: float) -> bool:
        """Count a request in flight that didn't come out of the window; false where the host may not be asked now."""
        host = self._host(name)
        if host.in_flight >= host.slots or self.free_at(name) > now:
            return False
        host.started(now, self._chance())
        self._in_flight += 1
        return True

    def free_at(self, name: str) -> float:
        """When the host may be asked next, as far as time alone can tell."""
        host = self._host(name)
        return max(host.not_before, host.last_start + host.spacing)

    def release(self, name: str, now: float) -> None:
        """A request of this host has ended: give its slot back."""
        host = self._hosts[name]
        host.in_flight -= 1
        self._in_flight -= 1
        self._place(host, now)

    def spare(self, name: str, sent_at: float) -> None:
        """What started then was answered from a store: the host was not asked, so no delay follows. Then release it."""
        host = self._hosts[name]
        if host.last_start == sent_at:
            host.last_start = host.previous_start
            host.entry = 0  # it was placed as if the request had gone out

    def succeeded(self, name: str, latency: float) -> None:
        """A response of this host came after ``latency`` seconds."""
        limit = self._hosts[name].limit
        if limit is not None:
            limit.succeeded(latency)

    def page_came(self, name: str) -> None:
        """This host has given a page."""
        self._hosts[name].pages += 1

    def pushed_back(self, name: str, sent_at: float, now: float) -> None:
        """The host answered 429 or 503, or timed out, to a request of then."""
        limit = self._hosts[name].limit
        if limit is not None:
            limit.pushed_back(sent_at, now)

    def hold(self, name: str, until: float, reason: str) -> None:
        """Leave a host alone until then; an earlier call that said later stands."""
        host = self._host(name)
        if until > host.not_before:
            host.not_before, host.reason = until, reason

    def slow_down(self, name: str, delay: float) -> None:
        """Leave at least ``delay`` seconds between the starts of two requests: the host's Crawl-delay."""
        host = self._host(name)
        if delay > host.delay:
            host.delay = host.spacing = delay
            host.pace = "Crawl-delay"

    def admit(self, number: int, row: Row, now: float) -> bool:
        """Take a new request straight into the window, if the frontier has no other of its host, and its share allows.

        Where not, it is for the frontier to keep, as after :meth:`found`.
        """
        host = self._hosts.get(row.host)
        if host is None and not self.overflow and not self._looked and self.room > 0:
            host = self._host(row.host)
        if host is None or host.hidden is not None or len(host.queue) >= self._share():
            self.found(row.host, row.priority)
            return False
        self._enqueue(host, row.queued(number))
        if host.queue[0][1] == number:
            host.entry = 0  # nothing of it is more urgent: place it anew, with that priority
        self._place(host, now)
        return True

    def found(self, name: str, priority: int = 0) -> None:
        """The frontier has got a request of this host."""
        host = self._hosts.get(name)
        if host is None:
            if len(self._hosts) >= self._max_hosts:
                self.overflow = True
                return
            host = self._host(name)
        host.hidden = priority if host.hidden is None else max(priority, host.hidden)
        self._feed(host)

    def look(self, hosts_after: Callable[[str, int], list[str]]) -> None:
        """Bring in hosts that are only in the frontier, as far as there is room; the next call goes on from there.

        Args:
            hosts_after: The names of up to so many hosts of the frontier, in order, after that one.
        """
        if not self._looked:
            self.overflow = False  # a new round: found() tells, if a host finds no room meanwhile
        hosts = hosts_after(self._looked, _LOOK)
        for host in hosts:
            if self.room <= 0 and host not in self._hosts:
                self.overflow = self.overflow or not self._looked
                return
            self.found(host)
            self._looked = host
        if len(hosts) < _LOOK:
            self._looked = ""

    def forget_idle(self, now: float) -> None:
        """When the window gets crowded with hosts, forget those of which nothing is left to do, and little to know."""
        for grudge in (False, True):  # whether also those that pushed back, or want to be left alone for long
            if self.room * 2 > self._max_hosts:
                return
            for name in [name for name, host in self._hosts.items() if host.idle(now, grudge=grudge)]:
                del self._hosts[name]

    def wishes(self) -> list[Refill]:
        """What the frontier should lease to the window now: each host an equal share of it, oldest wish first."""
        share = self._share()
        return [
            Refill(name, min(512, max(share - len(host.queue), host.maxsize if host.urgent else 1)))
            for name, host in islice(self._hungry.items(), _WISHES)
        ]

    def refill(self, wish: Refill, leased: Iterable[Queued], now: float) -> list[int]:
        """Take what the frontier leased for a wish. Returns what there is no room for: it goes back to the frontier."""
        host = self._hosts[wish.host]
        head = host.queue[0][0] if host.queue else 0
        priorities = []
        for queued in leased:
            self._enqueue(host, queued)
            priorities.append(queued.request.priority)
        self._hungry.pop(wish.host, None)
        host.hidden = min(priorities) if len(priorities) == wish.limit else None
        surplus = self._trim(host) if len(host.queue) > 4 * self._share() else []
        self._feed(host)
        if host.queue and host.queue[0][0] < head:
            host.entry = 0  # it has got something more urgent: place it anew, with that priority
        self._place(host, now)
        return surplus

    def busiest(self, now: float, count: int = 20) -> tuple[HostSnapshot, ...]:
        """The hosts with the most requests in flight and queued, and why they wait, if they do."""
        most = nlargest(count, ((weight, name) for name, host in self._hosts.items() if (weight := host.weight(now))))
        return tuple(self._hosts[name].snapshot(now) for _, name in most)

    def _host(self, name: str) -> Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = Host(name, self._limits(name))
        return host

    def _share(self) -> int:
        return max(2, self._window // max(1, self._stocked + len(self._hungry)))

    def _enqueue(self, host: Host, queued: Queued) -> None:
        self._stocked += not host.queue
        heappush(host.queue, (-queued.request.priority, queued.id, queued))
        self._queued += 1

    def _trim(self, host: Host) -> list[int]:
        """Cut a queue back to its share: a depth-first crawl always finds something more urgent than what it has."""
        host.queue.sort()
        share = self._share()
        surplus = host.queue[share:]
        del host.queue[share:]
        self._queued -= len(surplus)
        first = -surplus[0][0]
        host.hidden = first if host.hidden is None else max(first, host.hidden)
        return [lease_id for _, lease_id, _ in surplus]

    def _feed(self, host: Host) -> None:
        """Note that the host wants a refill, if it does."""
        if host.hidden is not None and (len(host.queue) * 2 < self._share() or host.urgent):
            self._hungry[host.name] = host

    def _replace(self, host: Host, now: float) -> None:
        """Place a host that has just left its heap."""
        host.entry = 0
        self._place(host, now)

    def _place(self, host: Host, now: float) -> None:
        """Put a host where it belongs: ready, parked, or nowhere, when only an event can bring it on."""
        if host.entry or host.blocked or not host.queue or host.in_flight >= host.slots:
            return
        self._turn += 1
        host.entry = self._turn
        due = host.due()
        if due > now:
            heappush(self._parked, (due, self._turn, host))
        else:
            heappush(self._ready, (host.queue[0][0], self._turn, host))
