"""How many pages each host has given, so that an endless one comes to an end."""

from __future__ import annotations

from collections.abc import Mapping

from scrapekit.engine.frontier import Frontier


class HostPages:
    """Counts pages by host, but only from when the whole crawl has so many that one host may have too many.

    Until then it costs neither time nor memory. What came before, in this run or an earlier one, is counted from the
    frontier, so that it needs no state of its own to survive a crash. Engine thread only.

    Args:
        limit: Pages that a host may give; None for any number.
        frontier: Knows those that are committed.
    """

    def __init__(self, limit: int | None, frontier: Frontier) -> None:
        self.limit = limit
        self._frontier = frontier
        self._counts: dict[str, int] | None = None

    def add(self, host: str) -> None:
        """A page of this host has come."""
        if self._counts is not None:
            self._counts[host] = self._counts.get(host, 0) + 1

    def full(self, host: str, pages: int, fresh: Mapping[str, int]) -> bool:
        """Whether this host has given all that it may.

        Args:
            host: Its name.
            pages: Those of all hosts, over all runs.
            fresh: Those that are not committed yet, by host.
        """
        if self.limit is None or pages < self.limit:
            return False
        if self._counts is None:
            self._counts = self._frontier.pages_by_host()
            for name, count in fresh.items():
                self._counts[name] = self._counts.get(name, 0) + count
        return self._counts.get(host, 0) >= self.limit
