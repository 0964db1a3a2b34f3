"""What each outcome means: which effects it has on the batch, the host, the cookies and the counters."""

from __future__ import annotations

import logging
from collections import deque
from hashlib import blake2b
from typing import NamedTuple

from msgspec.structs import replace

from scrapekit.engine.admission import Admission, Admissions
from scrapekit.engine.batch import Batch
from scrapekit.engine.ends import Ends, facts
from scrapekit.engine.frontier import Frontier
from scrapekit.engine.host import Queued
from scrapekit.engine.host_pages import HostPages
from scrapekit.engine.proxies import Proxies
from scrapekit.engine.retry import Retry, RetryPolicy
from scrapekit.engine.robots import Robots
from scrapekit.engine.scheduler import Scheduler
from scrapekit.engine.stats import Stats
from scrapekit.errors import (
    ConnectError,
    DeadlineExceeded,
    HostFull,
    ItemError,
    Quarantined,
    Skipped,
    SpiderStopped,
    TooManyRedirects,
)
from scrapekit.messages import Failed, Fetched, Outcome, Redirected, Seeded, Yielded, owner_of
from scrapekit.safe import masked, safe_lines
from scrapekit.web.cookiejar import CookieJar
from scrapekit.web.suffixes import same_site

logger = logging.getLogger("scrapekit")

_PUSH_BACK = frozenset({429, 503})


def seeds_key(what: str, spider: str) -> str:
    """The frontier's key for how many start requests of a spider were ``taken``, or for whether all are ``done``."""
    return f"seeds_{what}:{spider}" if spider else f"seeds_{what}"


class Flight(NamedTuple):
    """A lease in a worker's hands.

    Args:
        queued: The request.
        sent_at: When it was submitted.
        slot: Whether it holds a slot of its host; an errback doesn't, for it fetches nothing.
        proxy: The one that the engine chose for it.
    """

    queued: Queued
    sent_at: float
    slot: bool = True
    proxy: str | None = None


class Outcomes:
    """Turns outcomes into effects, which collect in :attr:`batch` until the engine commits. Engine thread only.

    Args:
        frontier: To look up where a redirect came from.
        scheduler: Gets slots back, and learns how the hosts do.
        admission: Decides which requests are new and may be fetched.
        retry: Decides whether a failure is final.
        stats: The counters.
        robots: Gets the robots.txt that it asked for.
        jar: Gets the cookies.
        proxies: Learns which proxies fail.
        pages_per_host: A host that has given so many gives no more.
        max_redirects: Longer chains fail.
        quarantine_after: A request is given up with that many deaths of the process that had it.
        keep_failures: Whether the audience wants to see failures.
        every_attempt: Whether attempts that have not failed are written down as well.
    """

    def __init__(
        self,
        *,
        frontier: Frontier,
        scheduler: Scheduler,
        admission: Admission | Admissions,
        retry: RetryPolicy,
        stats: Stats,
        robots: Robots | None,
        jar: CookieJar | None,
        proxies: Proxies | None = None,
        pages_per_host: int | None = None,
        max_redirects: int = 10,
        quarantine_after: int = 3,
        keep_failures: bool = False,
        every_attempt: bool = True,
    ) -> None:
        self._frontier = frontier
        self._scheduler = scheduler
        self._admission = admission
        self._retry = retry
        self._robots = robots
        self._jar = jar
        self._proxies = proxies
        self._host_pages = HostPages(pages_per_host, frontier)
        self._max_redirects = max_redirects
        self._quarantine_after = quarantine_after
        self._every_attempt = every_attempt
        self._seeds_taken: dict[str, int] = {}  # by the key under which the frontier keeps it
        self.stats = stats
        self.ends = Ends(stats, keep_failures=keep_failures)
        """Who tells of the requests that are given up."""
        self.batch = Batch()
        """The effects since the last commit."""
        self.errbacks: deque[tuple[Queued, Failed]] = deque()
        """Requests that have failed for good, and whose errback is to run."""
        self._partial: dict[int, Yielded] = {}  # what callbacks yielded before they raised, until the errback has run
        self.stop_reason: str | None = None
        """What StopCrawl said, once a callback or pipeline has raised it."""
        self.failure: str | None = None
        """Why the crawl can't be called finished, although it has ended: ``start()`` raised."""

    def take(self, outcome: Outcome, flight: Flight, now: float) -> None:
        """Everything that follows from an outcome."""
        queued = flight.queued
        batch, stats = self.batch, self.stats
        batch.outcomes += 1
        if flight.slot:
            self._feed_back(outcome, flight, now)
            self._scheduler.release(queued.host, now)
        if self._jar is not None and outcome.set_cookies:
            for header in outcome.set_cookies:
                self._jar.set(header, queued.request.url, now, queued.request.jar)
        if outcome.id < 0:
            self._take_robots(outcome, now)
            return
        if flight.slot and (self._every_attempt or isinstance(outcome, Failed)):
            self._write_down(outcome, flight, now)
        if isinstance(outcome, Fetched):
            stats.pages += 1
            batch.pages[queued.host] = batch.pages.get(queued.host, 0) + 1
            self._host_pages.add(queued.host)
            self._scheduler.page_came(queued.host)
            batch.end(outcome.id, status=outcome.status, attempts=queued.attempt)
            self._take_yielded(outcome.yielded, queued)
            if outcome.kept is not None:
                batch.kept.append(outcome.kept)
        elif isinstance(outcome, Redirected):
            self._redirect(outcome, queued)
        else:
            assert isinstance(outcome, Failed)
            if outcome.error == Quarantined.__name__:
                seconds = now - flight.sent_at
                self._quarantine(queued, f"{outcome.message} in {seconds:,.0f} s", outcome.traceback)
            else:
                self._take_failure(outcome, queued, now)

    def lose(self, lease_id: int, flight: Flight, reason: str, now: float) -> None:
        """The worker process that had this lease has died: give it back, unless it was there too often."""
        queued = flight.queued
        self.batch.outcomes += 1
        if flight.slot:
            self._scheduler.release(queued.host, now)
        if lease_id < 0:
            failed = Failed(id=lease_id, error=ConnectError.__name__, message=reason, url=queued.request.url)
            self._take_robots(failed, now)
            return
        crashes = queued.crashes + 1
        if flight.slot:
            batch = self.batch
            batch.attempts.append((lease_id, flight.sent_at, now - flight.sent_at, None, 0, f"Lost: {reason}", None))
        if crashes < self._quarantine_after:
            self._partial.pop(lease_id, None)
            self.batch.give_back(lease_id, queued.host, crashes, queued.attempt, f"Lost: {reason}")
            return
        self._quarantine(queued, f"{crashes} worker processes died while they had it ({reason})")

    def is_suspect(self, queued: Queued) -> bool:
        """Whether one more death of its process would be taken for this request's fault: it must prove itself alone."""
        return 0 < queued.crashes >= self._quarantine_after - 1

    def drop_if_unwanted(self, queued: Queued) -> bool:
        """Drop the request if its host has given all the pages that it may, or its spider has ended."""
        host_pages, stopped = self._host_pages, self.stats.stopped
        if stopped and (why := stopped.get(owner_of(queued.request.callback))) is not None:
            self.drop(queued, SpiderStopped, f"its spider has ended with StopCrawl: {why}")
            return True
        if not host_pages.full(queued.host, self.stats.pages, self.batch.pages):
            return False
        self.drop(queued, HostFull, f"{queued.host} has given crawl.limits.pages_per_host ({host_pages.limit}) pages")
        return True

    def seed(self, seeded: Seeded) -> None:
        """Start requests: each opens its host's domain, unless the spider says where it may go."""
        key = seeds_key("taken", seeded.spider)
        for link in seeded.links:
            admission = self._admission.of(link.callback)
            admission.widen(self.batch, link.host)
            admission.add(self.batch, link, 0, None)
        if key not in self._seeds_taken:
            self._seeds_taken[key] = self._frontier.get(key, 0)
        self._seeds_taken[key] += len(seeded.links)
        self.batch.meta[key] = self._seeds_taken[key]
        if seeded.exhausted and seeded.error is None:
            self.batch.meta[seeds_key("done", seeded.spider)] = True
        elif seeded.error is not None:
            error = f"{seeded.spider}: {seeded.error}" if seeded.spider else seeded.error
            self.failure = self.ends.last_error = error
            logger.error("%s", safe_lines(error), extra={"event": "start_failed", "spider": seeded.spider or None})

    def fail(self, queued: Queued, failed: Failed) -> None:
        """A request has failed for good: run its errback, or end it."""
        if queued.request.errback is not None and not failed.final:
            self.errbacks.append((queued, failed))
        else:
            self.ends.fail(self.batch, queued, failed)

    def drop(self, queued: Queued, kind: type[Skipped], message: str) -> None:
        """A request that is not to be fetched."""
        self.ends.drop(self.batch, queued, kind, message)

    def _quarantine(self, queued: Queued, why: str, where: str | None = None) -> None:
        """Give a request up for good."""
        self._partial.pop(queued.id, None)
        self.ends.quarantine(self.batch, queued, why, where)

    def _feed_back(self, outcome: Outcome, flight: Flight, now: float) -> None:
        """Tell the throttle how the host does."""
        stats, name, status = self.stats, flight.queued.host, outcome.status
        for flag in outcome.flags:
            stats.count(stats.flags, flag)
        if status:
            stats.statuses[status] = stats.statuses.get(status, 0) + 1
        if outcome.flags and outcome.from_store:
            self._scheduler.spare(name, flight.sent_at)
            return
        stats.requests += 1
        stats.bytes += outcome.size
        if outcome.elapsed:
            stats.latency.add(outcome.elapsed)
        if flight.proxy is not None and self._proxies is not None:
            self._proxies.learn(flight.proxy, outcome, flight.sent_at, now)
        if status in _PUSH_BACK or (isinstance(outcome, Failed) and outcome.error == DeadlineExceeded.__name__):
            self._scheduler.pushed_back(name, flight.sent_at, now)
        elif status:
            self._scheduler.succeeded(name, outcome.elapsed)
        wait = self._retry.asked_wait(outcome.retry_after, now) if status in _PUSH_BACK else 0.0
        if wait > 0:
            self._scheduler.hold(name, now + wait, "Retry-After")
            self.batch.holds.append((name, now + wait, "Retry-After"))

    def _write_down(self, outcome: Outcome, flight: Flight, now: float) -> None:
        """One attempt, for the ledger."""
        error = location = None
        if isinstance(outcome, Failed):
            error = masked(f"{outcome.error}: {outcome.message}")
        elif isinstance(outcome, Redirected):
            location = masked(outcome.link.url)
        elapsed = outcome.elapsed or now - flight.sent_at
        attempt = (outcome.id, flight.sent_at, elapsed, outcome.status or None, outcome.size, error, location)
        self.batch.attempts.append(attempt)

    def _take_robots(self, outcome: Outcome, now: float) -> None:
        assert self._robots is not None
        answer = self._robots.answer(outcome, now)
        if answer is None:
            return
        if answer.row is not None:
            self.batch.robots.append(answer.row)
        if answer.delay is not None:
            self._scheduler.slow_down(answer.host, answer.delay)
        self._scheduler.unblock(answer.host, now)

    def _take_yielded(self, yielded: Yielded, queued: Queued) -> None:
        stats, batch = self.stats, self.batch
        written = batch.write(yielded, self._frontier.item_keys)
        stats.items += written
        if stats.items_of:
            stats.items_of[owner_of(queued.request.callback)] += written
        if written < len(yielded.items):
            stats.count(stats.dropped, "duplicate", len(yielded.items) - written)
        if yielded.links:
            self._admission.of(queued.request.callback).found(batch, yielded.links, queued.depth + 1, queued.id)
        for reason, count in yielded.dropped.items():
            stats.count(stats.dropped, reason, count)
        for rejected in yielded.rejected:
            stats.tally(stats.item_errors, ItemError.__name__, queued.request.url, rejected.message)
            what = safe_lines(f"{queued.request.url}: ItemError: {rejected.message}")
            logger.warning("%s", what, extra=facts("item_rejected", queued, ItemError.__name__))
            batch.rejected.append((queued.id, rejected.record))
        if yielded.stop is not None and (owner := owner_of(queued.request.callback)):
            stats.stopped[owner] = yielded.stop
        elif yielded.stop is not None:
            self.stop_reason = yielded.stop

    def _redirect(self, outcome: Redirected, queued: Queued) -> None:
        link, request = outcome.link, queued.request
        self.stats.redirects += 1
        if queued.redirects >= self._max_redirects:
            message = f"more than http.max_redirects ({self._max_redirects}) redirects, the last one to {link.url}"
            name = TooManyRedirects.__name__
            self.fail(queued, Failed(id=outcome.id, error=name, message=message, url=request.url))
            return
        admission = self._admission.of(link.callback)
        if admission.open_scope and queued.depth == 0 and same_site(link.host, queued.host):
            # example.org sends its visitors to www.example.org, or the other way round: that is where it starts then.
            admission.widen(self.batch, link.host)
        if (refusal := admission.refusal(link, anywhere=request.dont_filter)) is not None:
            self.drop(queued, *refusal)
            return
        if link.fingerprint is not None and link.fingerprint in self._frontier.redirect_chain(outcome.id):
            # Back to where the chain has been, as sites do that set a cookie first: the dupe filter must not stop it.
            detour = blake2b(link.fingerprint, digest_size=16, salt=outcome.id.to_bytes(8))
            link = replace(link, fingerprint=detour.digest())
        self.batch.end(outcome.id, status=outcome.status, attempts=queued.attempt)
        admission.add(self.batch, link, queued.depth, outcome.id, queued.redirects + 1)

    def _take_failure(self, outcome: Failed, queued: Queued, now: float) -> None:
        if not outcome.final:
            attempt = queued.attempt + 1
            verdict = self._retry.decide(outcome, attempt, now)
            if isinstance(verdict, Retry):
                self.stats.retries += 1
                error = f"{outcome.error}: {outcome.message}"
                self.batch.retry(queued.id, now + verdict.wait, attempt, outcome.status or None, error)
                if outcome.again is not None:
                    self.batch.again.append((outcome.again.extra, queued.id))
                for link in outcome.first:
                    self._admission.of(link.callback).add(self.batch, link, queued.depth, queued.id)
                what = safe_lines(f"{queued.request.url}: {error}")
                told = facts("retry", queued, outcome.error, outcome.status or None)
                logger.info("%s; attempt %d in %.1f s", what, attempt + 1, verdict.wait, extra=told)
                return
        partial = self._partial.pop(queued.id, None)
        if queued.request.errback is not None and not outcome.final and outcome.yielded is not None:
            self._partial[queued.id], outcome.yielded = outcome.yielded, None
        for yielded in (partial, outcome.yielded):
            if yielded is not None:
                self._take_yielded(yielded, queued)
        self.fail(queued, outcome)
