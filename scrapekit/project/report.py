"""The :class:`CrawlReport`: how a crawl ended."""

from __future__ import annotations

from msgspec import Struct

from scrapekit.download import PoolStats
from scrapekit.engine import Stats


class Share(Struct, frozen=True):
    """What one spider of a crawl has come to, over all runs of the job. Immutable.

    Args:
        pages: Responses whose callback returned.
        items: Items in the output.
        failed: Requests that failed for good, or are quarantined.
        stopped: What StopCrawl said that has ended this spider, where others went on.
        error: One of its errors, of several spiders.
    """

    pages: int
    items: int
    failed: int
    stopped: str | None = None
    error: str | None = None


class CrawlReport(Struct, frozen=True):
    """How a crawl ended. Immutable.

    Args:
        spider: Its name; of several, their names.
        job: The job's id; empty for a crawl that can't be resumed.
        reason: ``finished``, ``max_pages``, ``max_items``, ``interrupted``, or ``stopped`` by StopCrawl.
        stats: The counters, over all runs of the job.
        pool: Connections opened and reused in this run, by host.
        outputs: The paths that the items were written to; ``-`` for stdout.
        written: How many items each of them holds; empty where each holds all.
        rejected: The path of the items that were not as they must be; empty where there were none, or no file to write.
        elapsed: Seconds that this run took.
        workers: Requests that could be in flight at once, over all threads and processes.
        pending: Requests that are known and not finished, which a resumed crawl goes on with.
        quarantined: URLs that are not tried again: the process died several times in their company, or their callback
            never returned.
        failure: Why the crawl failed as a whole; None where it did not.
        stopped_by: What StopCrawl said.
        start_error: What ``start()`` raised, if that is why.
        spiders: What each spider has come to, by its name.
    """

    spider: str
    job: str
    reason: str
    stats: Stats
    pool: PoolStats
    outputs: tuple[str, ...]
    elapsed: float
    pending: int
    workers: int = 0
    rejected: str = ""
    written: dict[str, int] = {}
    quarantined: tuple[str, ...] = ()
    failure: str | None = None
    stopped_by: str | None = None
    start_error: str | None = None
    spiders: dict[str, Share] = {}

    @property
    def output(self) -> str:
        """The first of the outputs; empty where there is none."""
        return self.outputs[0] if self.outputs else ""

    @property
    def pages(self) -> int:
        """Responses whose callback returned, over all runs."""
        return self.stats.pages

    @property
    def items(self) -> int:
        """Items in the output, over all runs."""
        return self.stats.items
