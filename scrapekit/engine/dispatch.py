"""Handing out: which requests go to the workers now, with all that they need to know."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from scrapekit.engine.contract import Fleet
from scrapekit.engine.host import INFINITY, Queued
from scrapekit.engine.inflight import InFlight
from scrapekit.engine.outcomes import Flight, Outcomes
from scrapekit.engine.proxies import Proxies
from scrapekit.engine.robots import Ask, Robots, Unreachable
from scrapekit.engine.scheduler import Drained, Ready, Scheduler, Wait
from scrapekit.engine.watchdog import Watchdog
from scrapekit.errors import RobotsDenied
from scrapekit.messages import Failed, Lease, Request
from scrapekit.web.cookiejar import CookieJar
from scrapekit.web.robots import DENY_ALL
from scrapekit.web.urls import host_of

ALONE_SECONDS = 60.0  # that all others wait for a suspect; after that it hangs, or they do, and the crawl goes on
_SLOT_SECONDS = 0.1  # until a robots.txt looks again for a slot of its host


class Dispatcher:
    """Keeps the workers busy, and knows what they have. Engine thread only.

    Args:
        fleet: The workers.
        scheduler: Says what is next.
        outcomes: Gets what is ended unfetched, and has the errbacks that are to run.
        in_flight: The record of what the workers have.
        robots: Who knows robots.txt; None to disobey it.
        jar: The cookies; None to send none.
        proxies: The proxies in turn; None where the settings have none.
        authorization: The Authorization header for a URL, if it gets one; None where the settings have none.
        max_pages: No more requests are out than are left of so many pages.
        limit: Seconds after which a request is given up that does not come back; None for never.
    """

    def __init__(
        self,
        fleet: Fleet,
        scheduler: Scheduler,
        outcomes: Outcomes,
        in_flight: InFlight,
        *,
        robots: Robots | None = None,
        jar: CookieJar | None = None,
        proxies: Proxies | None = None,
        authorization: Callable[[str], str | None] | None = None,
        max_pages: int | None = None,
        limit: Callable[[Request], float] | None = None,
    ) -> None:
        self._fleet = fleet
        self._scheduler = scheduler
        self._outcomes = outcomes
        self._in_flight = in_flight
        self._robots = robots
        self._jar = jar
        self._proxies = proxies
        self._authorization = authorization
        self._max_pages = max_pages
        self._watchdog = None if limit is None else Watchdog(fleet, limit)
        self._flights: dict[int, Flight] = {}
        self._suspect: tuple[Lease, Flight] | None = None  # waits until it is alone
        self._quiet_until = -INFINITY  # a suspect waits, or is out: until then nothing else may go

    @property
    def out(self) -> int:
        """Leases that workers have."""
        return len(self._flights)

    @property
    def idle(self) -> bool:
        """Whether nothing is out, and nothing waits here to go out, now or later."""
        return not (self._flights or self._suspect or self._outcomes.errbacks) and self.next_due() is None

    def next_due(self) -> float | None:
        """When something that was put off is due; None where nothing was."""
        return None if self._robots is None else self._robots.next_due()

    def watch(self, now: float) -> None:
        """Have given up what has been out for too long."""
        if self._watchdog is not None:
            self._watchdog.look(self._flights, now)

    def landed(self, lease_id: int) -> Flight:
        """A worker is done with this lease."""
        self._in_flight.remove(lease_id)
        if self._suspect is None:
            self._quiet_until = -INFINITY
        return self._flights.pop(lease_id)

    def fill(self, now: float) -> Wait | Drained | None:
        """Fill the free workers; the scheduler's last word, None where there was no worker left to ask it for."""
        if self._suspect is not None and (not self._flights or now >= self._quiet_until):
            (lease, flight), self._suspect = self._suspect, None
            if flight.slot and not self._scheduler.starts_late(flight.queued.host, now):
                self._scheduler.put_back(flight.queued, now)  # meanwhile the host has asked to be left alone
                self._quiet_until = -INFINITY
            else:
                self._quiet_until = now + ALONE_SECONDS
                self._submit(lease, flight._replace(sent_at=now))
        outcomes = self._outcomes
        while self._may_submit(now) and outcomes.errbacks:
            queued, failed = outcomes.errbacks.popleft()
            alone = outcomes.is_suspect(queued)
            lease = Lease(queued.id, queued.request, queued.host, queued.depth, alone=alone, failure=failed)
            self._send(lease, Flight(queued, now, slot=False), now)
        while self._may_submit(now) and self._robots is not None and (ask := self._robots.due(now)) is not None:
            self._ask(self._robots, ask, now)
        while self._may_submit(now):
            if self._max_pages is not None and outcomes.stats.pages + self.out >= self._max_pages:
                return None
            answer = self._scheduler.next(now)
            if not isinstance(answer, Ready):
                return answer
            self._start(answer.queued, now)
        return None

    def _may_submit(self, now: float) -> bool:
        """Whether a worker is free, and no suspect waits or is out alone."""
        return len(self._flights) < self._fleet.capacity and now >= self._quiet_until

    def _start(self, queued: Queued, now: float) -> None:
        """Submit a request, or its robots.txt first, or end it unfetched."""
        request, scheduler = queued.request, self._scheduler
        if self._outcomes.drop_if_unwanted(queued):
            scheduler.put_back(queued, now, gone=True)
            return
        if self._robots is not None and not self._allowed(self._robots, queued, now):
            return
        lease = Lease(
            queued.id,
            request,
            queued.host,
            queued.depth,
            queued.attempt,
            queued.redirects,
            self._cookies(queued, now),
            scheduler.maxsize(queued.host),
            self._outcomes.is_suspect(queued),
        )
        lease = self._equipped(lease, now)
        self._send(lease, Flight(queued, now, proxy=lease.proxy), now)

    def _cookies(self, queued: Queued, now: float) -> str | None:
        """The Cookie header; the request's own go into the jar when it is sent first: what is in it later is newer."""
        request, jar = queued.request, self._jar
        if jar is None:
            return "; ".join(f"{name}={value}" for name, value in request.cookies.items() if value is not None) or None
        if request.cookies and not queued.attempt:
            jar.put(request.cookies, request.url, now, request.jar)
        return jar.header_for(request.url, now, request.jar)

    def _allowed(self, robots: Robots, queued: Queued, now: float) -> bool:
        """Whether a request may be fetched now; where not, what becomes of it is seen to."""
        url, scheduler = queued.request.url, self._scheduler
        rules = robots.rules(url, now)
        if rules is None:
            scheduler.put_back(queued, now)
            scheduler.block(queued.host, "robots.txt")
            self._ask(robots, robots.ask(queued.request, queued.host), now)
            return False
        if isinstance(rules, Unreachable):
            scheduler.put_back(queued, now, gone=True)
            self._outcomes.fail(queued, Failed(id=queued.id, error=rules.error, message=rules.message, url=url))
            return False
        if not rules.allows(url):
            scheduler.put_back(queued, now, gone=True)
            why = "robots.txt can't be had, so all is forbidden" if rules is DENY_ALL else "robots.txt forbids it"
            self._outcomes.drop(queued, RobotsDenied, why)
            return False
        if rules.delay is not None:
            scheduler.slow_down(queued.host, rules.delay)
        return True

    def _ask(self, robots: Robots, ask: Ask, now: float) -> None:
        """Submit a robots.txt, or put it off where its host may not be asked now."""
        host = host_of(ask.request.url)  # after a redirect it may be another one than the parked
        if not self._scheduler.take_slot(host, now):
            robots.postpone(ask, max(self._scheduler.free_at(host), now + _SLOT_SECONDS))
            return
        lease = self._equipped(robots.lease(ask, self._scheduler.maxsize(host)), now)
        self._submit(lease, Flight(Queued(lease.id, lease.request, host), now, proxy=lease.proxy))

    def _equipped(self, lease: Lease, now: float) -> Lease:
        """The lease with proxy and credentials: those of this hop, so that no redirect or retry takes them along."""
        if self._proxies is not None:
            lease = replace(lease, proxy=self._proxies.choose(lease.request, now))
        if self._authorization is not None:
            lease = replace(lease, authorization=self._authorization(lease.request.url))
        return lease

    def _send(self, lease: Lease, flight: Flight, now: float) -> None:
        """Submit a lease, if need be as soon as nothing else is out."""
        alone = lease.alone and not self._fleet.isolates
        if alone:
            self._quiet_until = now + ALONE_SECONDS
        if alone and self._flights:
            self._suspect = (lease, flight)
        else:
            self._submit(lease, flight)

    def _submit(self, lease: Lease, flight: Flight) -> None:
        self._flights[lease.id] = flight
        self._in_flight.add(lease.id)
        self._fleet.submit(lease)
