"""Which requests enter the crawl: those in scope, not too deep, not in a trap, and not known yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scrapekit.engine.batch import Batch
from scrapekit.engine.seen import Seen
from scrapekit.engine.stats import Stats
from scrapekit.errors import OffSite, Skipped, TooDeep
from scrapekit.messages import Link, owner_of
from scrapekit.web.scope import Scope
from scrapekit.web.traps import ANY_URL, UrlLimits, trap_in


class Admission:
    """Decides which requests the frontier gets. Engine thread only.

    Args:
        seen: The dupe filter.
        stats: The counters.
        scope: Where links and redirects may lead.
        open_scope: Whether the hosts of the start requests widen the scope.
        max_depth: Links that are deeper are skipped.
        url_limits: Requests whose URLs go beyond are skipped.
        owner: The spider that it is for, where several share the crawl.
    """

    def __init__(
        self,
        seen: Seen,
        stats: Stats,
        scope: Scope,
        *,
        open_scope: bool,
        max_depth: int | None = None,
        url_limits: UrlLimits = ANY_URL,
        owner: str = "",
    ) -> None:
        self._seen = seen
        self._stats = stats
        self._scope = scope
        self._max_depth = max_depth
        self._url_limits = url_limits
        self._owner = owner
        self.open_scope = open_scope
        """Whether the spider leaves it to its start requests where it may go."""

    def of(self, callback: str | None) -> Admission:  # noqa: ARG002  (see Admissions)
        """That of the spider whose callback this is."""
        return self

    def widen(self, batch: Batch, host: str) -> None:
        """The crawl starts at this host, so it may go there, unless the spider says where it may go."""
        if self.open_scope and self._scope.add(host):
            batch.scope.append((f"{self._owner}:{host}" if self._owner else host,))

    def found(self, batch: Batch, links: Sequence[Link], depth: int, parent: int) -> None:
        """The links of a page."""
        stats = self._stats
        if self._max_depth is not None and depth > self._max_depth:
            for link in links:
                stats.skip(TooDeep, link.url, f"deeper than crawl.max_depth ({self._max_depth})")
            return
        fresh = self._seen.unknown(links)
        stats.duplicates += len(links) - len(fresh)
        for link in fresh:
            self.add(batch, link, depth, parent)

    def add(self, batch: Batch, link: Link, depth: int, parent: int | None, redirects: int = 0) -> None:
        """A request for the frontier, if it may be fetched and is not known to be there."""
        identity = link.fingerprint
        if identity is not None:
            if identity in self._seen:
                self._stats.duplicates += 1
                return
            if not self._scope.allows(link.host):
                self._stats.skip(OffSite, link.url, "outside allowed_domains")
                return
        if (trap := trap_in(link.url, self._url_limits)) is not None:
            self._stats.skip(trap.kind, link.url, trap.message)
            return
        if identity is not None:
            self._seen.add(identity)
        self._stats.queued += 1
        batch.add(link, depth, parent, redirects)

    def refusal(self, link: Link, *, anywhere: bool) -> tuple[type[Skipped], str] | None:
        """Why a redirect to ``link`` is not followed; ``anywhere``: not for the scope's sake."""
        if not anywhere and not self._scope.allows(link.host):
            return OffSite, f"redirects to {link.url}, outside allowed_domains"
        if (trap := trap_in(link.url, self._url_limits)) is not None:
            return trap.kind, f"redirects to {link.url}, {trap.message}"
        return None


class Admissions:
    """Those of several spiders: each decides about its own requests. Engine thread only.

    Args:
        by_spider: By the spider's name.
    """

    def __init__(self, by_spider: Mapping[str, Admission]) -> None:
        self._by_spider = by_spider

    def of(self, callback: str | None) -> Admission:
        """That of the spider whose callback this is."""
        return self._by_spider[owner_of(callback)]
