"""The outcomes: what a worker reports to the engine. Failures are values here, not exceptions."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from scrapekit.messages.link import Link
from scrapekit.messages.request import Request


class Rejected(Struct, frozen=True):
    """An item that is not to be written.

    Args:
        message: One line: what is wrong with it.
        record: The same with the field, the value, the page's URL and the item, as one JSON object.
    """

    message: str
    record: str


class Yielded(Struct, omit_defaults=True):
    """What a callback yielded, encoded by the worker once the callback had returned.

    Args:
        items: One JSON object each, without the line end.
        keys: Those of the items, by their place in ``items``, whose type says by which fields it is unique: 16 bytes.
        routes: Which outputs each of the items goes to; empty where each goes to all.
        links: New requests.
        dropped: Items that a pipeline dropped, counted by reason.
        rejected: Items that are not as they must be.
        stop: The reason, where the callback or a pipeline raised StopCrawl.
    """

    items: list[bytes] = []
    keys: dict[int, bytes] = {}
    routes: list[str] = []
    links: list[Link] = []
    dropped: dict[str, int] = {}
    rejected: list[Rejected] = []
    stop: str | None = None


class Page(Struct, frozen=True):
    """A response as plain values, to be sent to wherever its errback or the robots rules are evaluated."""

    url: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Outcome(Struct, kw_only=True, tag=True):
    """What came of one lease. The engine thread alone reads it after the worker has posted it.

    Args:
        id: The lease's.
        status: The HTTP status; 0 where no response came.
        size: Bytes of the decoded body.
        elapsed: Seconds from the start of the exchange to its last byte; 0 where there was none.
        set_cookies: The values of the response's Set-Cookie headers.
        retry_after: The value of the response's Retry-After header.
        flags: What was odd about the response, such as ``parse_truncated``.
    """

    id: int
    status: int = 0
    size: int = 0
    elapsed: float = 0.0
    set_cookies: list[str] = []
    retry_after: str | None = None
    flags: tuple[str, ...] = ()

    @property
    def from_store(self) -> bool:
        """Whether it came from a cache or an archive, so that no host was asked."""
        return "cached" in self.flags or "replayed" in self.flags


class Fetched(Outcome):
    """The response came, was parsed, and its callback returned.

    Args:
        yielded: What the callback yielded.
        page: The response itself, for robots.txt.
        kept: The :class:`~scrapekit.Response`, where the fleet was asked to keep it (threads only).
    """

    yielded: Yielded
    page: Page | None = None
    kept: Any = None


class Redirected(Outcome):
    """The response is a redirect that can be followed.

    Args:
        link: The request that follows it.
    """

    link: Link


class Failed(Outcome):
    """No usable response, or the parser or the callback raised.

    Args:
        error: Name of the :class:`~scrapekit.errors.RequestError` class.
        message: One line.
        url: The URL that failed.
        traceback: Where user code raised.
        yielded: Where the spider keeps the items before the error, or where an errback ran: what they are.
        page: The response, for the errback.
        request: The request, where the failure is handed to whoever asked for it.
        final: True once an errback has run: nothing is left to decide.
        again: The request as it is to be tried again, where a hook says so; its URL is the same.
        first: Requests to make before that.
    """

    error: str
    message: str
    url: str = ""
    traceback: str | None = None
    yielded: Yielded | None = None
    page: Page | None = None
    request: Request | None = None
    final: bool = False
    again: Link | None = None
    first: list[Link] = []


class Lost(Struct):
    """Leases whose worker process or node has died: no outcome will come.

    Args:
        ids: The leases'.
        reason: One line.
    """

    ids: list[int]
    reason: str


class Seeded(Struct):
    """The next start requests of the spider.

    Args:
        links: In the order of ``Spider.start()``.
        exhausted: ``start()`` has ended.
        error: One line, where ``start()`` raised, or yielded what can't be a request.
        spider: Whose they are, where several share the crawl.
    """

    links: list[Link]
    exhausted: bool = False
    error: str | None = None
    spider: str = ""
