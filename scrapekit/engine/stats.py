"""What is counted, saved with every commit, and shown."""

from __future__ import annotations

from msgspec import Struct, field

from scrapekit.engine.latency import Latency
from scrapekit.errors import Skipped
from scrapekit.safe import masked

_MOST_KINDS = 100


class Tally(Struct):
    """How often one kind of thing happened, with one example."""

    count: int
    url: str
    message: str


class Stats(Struct):
    """The counters of a job, over all its runs. Engine thread only; others read a :class:`Snapshot`."""

    pages: int = 0  # responses whose callback returned
    items: int = 0
    requests: int = 0  # exchanges, with retries, redirects and robots.txt
    bytes: int = 0
    queued: int = 0  # requests that were new to the frontier
    duplicates: int = 0
    redirects: int = 0
    retries: int = 0
    failed: int = 0  # requests that failed for good
    quarantined: int = 0
    deaths: int = 0  # of worker processes and nodes
    elapsed: float = 0.0  # seconds, over all runs
    statuses: dict[int, int] = field(default_factory=dict)
    errors: dict[str, Tally] = field(default_factory=dict)
    skipped: dict[str, Tally] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)  # items that pipelines dropped, by reason
    item_errors: dict[str, Tally] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    items_of: dict[str, int] = field(default_factory=dict)  # by spider, where there are several
    stopped: dict[str, str] = field(default_factory=dict)  # those of several that have ended, with what StopCrawl said
    latency: Latency = field(default_factory=Latency)  # of exchanges with hosts, not of stores

    def reopen(self, kind: str, count: int, *, quarantined: bool) -> None:
        """Requests that failed so are to be tried again: they are not failed any more."""
        if quarantined:
            self.quarantined -= count
        else:
            self.failed -= count
        tally = self.errors.get(kind)
        if tally is not None and tally.count > count:
            tally.count -= count
        else:
            self.errors.pop(kind, None)

    @staticmethod
    def count(table: dict[str, int], kind: str, count: int = 1) -> None:
        """Count ``kind``; what comes after the first hundred kinds, for user code may name each item, is ``other``."""
        if kind not in table and len(table) >= _MOST_KINDS:
            kind = "other"
        table[kind] = table.get(kind, 0) + count

    @staticmethod
    def tally(table: dict[str, Tally], kind: str, url: str, message: str, count: int = 1) -> None:
        """Count one more of ``kind``; the first one is the example, saved and shown, without passwords."""
        found = table.get(kind)
        if found is None:
            table[kind] = Tally(count, masked(url), masked(message))
        else:
            found.count += count

    def skip(self, kind: type[Skipped], url: str, message: str) -> None:
        """Count a request that is not to be fetched."""
        self.tally(self.skipped, kind.__name__, url, message)
