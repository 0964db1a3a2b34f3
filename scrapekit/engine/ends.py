"""How a request ends without a page: failed, dropped or quarantined. What is counted, said and kept of it."""

from __future__ import annotations

import logging

from scrapekit.engine.batch import Batch
from scrapekit.engine.host import Queued
from scrapekit.engine.schema import DROPPED, FAILED, QUARANTINED
from scrapekit.engine.stats import Stats
from scrapekit.errors import Quarantined, Skipped, StatusError
from scrapekit.messages import Failed, owner_of
from scrapekit.safe import masked, safe_lines

logger = logging.getLogger("scrapekit")


class Ends:
    """Tells of requests that are given up. Engine thread only.

    Args:
        stats: The counters.
        keep_failures: Whether the audience wants to see failures.
    """

    def __init__(self, stats: Stats, *, keep_failures: bool = False) -> None:
        self._stats = stats
        self._keep_failures = keep_failures
        self.last_error = ""
        """The newest failure in one line."""

    def fail(self, batch: Batch, queued: Queued, failed: Failed) -> None:
        """It has failed for good."""
        status = failed.status or None
        kind = f"{failed.error} {status}" if failed.error == StatusError.__name__ else failed.error
        url = masked(queued.request.url)
        failed.message = masked(failed.message)
        self._stats.failed += 1
        self._stats.tally(self._stats.errors, kind, url, failed.message)
        self.last_error = f"{kind}: {url}: {failed.message}"
        told = facts("failed", queued, failed.error, status)
        logger.warning("%s", safe_lines(f"{url}: {kind}: {failed.message}"), extra=told)
        if failed.traceback:
            logger.warning("%s", safe_lines(failed.traceback), extra={**told, "event": "traceback"})
        batch.end(queued.id, FAILED, status=status, error=f"{kind}: {failed.message}", attempts=queued.attempt + 1)
        if self._keep_failures:
            failed.request = queued.request
            batch.kept.append(failed)

    def drop(self, batch: Batch, queued: Queued, kind: type[Skipped], message: str) -> None:
        """It is not to be fetched."""
        message = masked(message)
        self._stats.skip(kind, queued.request.url, message)
        if logger.isEnabledFor(logging.DEBUG):
            what = safe_lines(f"{queued.request.url}: {kind.__name__}: {message}")
            logger.debug("%s", what, extra=facts("dropped", queued, kind.__name__))
        batch.end(queued.id, DROPPED, error=f"{kind.__name__}: {message}", attempts=queued.attempt)
        if self._keep_failures:
            request = queued.request
            batch.kept.append(
                Failed(id=queued.id, error=kind.__name__, message=message, url=request.url, request=request, final=True)
            )

    def quarantine(self, batch: Batch, queued: Queued, why: str, where: str | None = None) -> None:
        """It is never to be tried again; ``where`` is the stack that it hung in."""
        url = masked(queued.request.url)
        self._stats.quarantined += 1
        self._stats.tally(self._stats.errors, Quarantined.__name__, url, why)
        self.last_error = f"{url}: {Quarantined.__name__}: {why}"
        told = facts("quarantined", queued, Quarantined.__name__)
        logger.error("%s", safe_lines("\n".join(filter(None, (self.last_error, where)))), extra=told)
        batch.end(queued.id, QUARANTINED, error=f"{Quarantined.__name__}: {why}", attempts=queued.attempt)


def facts(event: str, queued: Queued, error: str, status: int | None = None) -> dict[str, str | int | None]:
    """What a log record of a request tells besides its message: the ``extra`` of :mod:`logging`. Pure."""
    request = queued.request
    spider = owner_of(request.callback) or None
    found = {"event": event, "url": masked(request.url), "host": queued.host, "error": error, "spider": spider}
    return {**found, "status": status}
