"""The :class:`Snapshot`: how a crawl stands while it runs, for every other thread to read."""

from __future__ import annotations

from scrapekit.engine.host import HostSnapshot
from scrapekit.engine.stats import Stats


class Snapshot(Stats, frozen=True):  # type: ignore[misc]  # for msgspec a copy may be frozen where the original is not
    """How the crawl stands: published by the engine's thread four times a second, read by any, and never changed.

    It has all counters of :class:`Stats`, over all runs of the job, and what is so at this moment.

    Args:
        at: When it was taken, in seconds since the epoch.
        elapsed_now: Seconds of this run.
        pages_now: Pages of this run.
        pending: Requests known and not finished; those in flight count.
        in_flight: Requests that workers have.
        workers: Requests that they could have at once.
        hosts: The busiest hosts, those with the most requests first: at most 20.
        host_count: Hosts in the window.
        paused: Whether :meth:`Engine.pause` holds the crawl.
        reason: Why it ends or has ended, as :meth:`Engine.run` says it; empty while it goes on.
        last_error: The newest failure of this run, in one line.
    """

    at: float = 0.0
    elapsed_now: float = 0.0
    pages_now: int = 0
    pending: int = 0
    in_flight: int = 0
    workers: int = 0
    hosts: tuple[HostSnapshot, ...] = ()
    host_count: int = 0
    paused: bool = False
    reason: str = ""
    last_error: str = ""
