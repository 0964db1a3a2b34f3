"""The :class:`Source`: where the replies of a worker come from."""

from __future__ import annotations

from typing import Protocol

from scrapekit.download.downloader import Reply
from scrapekit.download.stats import PoolStats
from scrapekit.messages import Request


class Source(Protocol):
    """The network, or a store that stands before it or in its place. Any thread."""

    def fetch(
        self,
        request: Request,
        *,
        host: str,
        maxsize: int = 8,
        cookies: str | None = None,
        proxy: str | None = None,
        authorization: str | None = None,
        first: int | None = None,
        again: bool = False,
    ) -> Reply:
        """One hop, as :meth:`Downloader.fetch` makes it."""
        ...

    def stats(self) -> PoolStats:
        """The connections of what reaches the network."""
        ...

    def close(self) -> None:
        """Close connections and files; idempotent."""
        ...
