"""The :class:`SitemapSpider`: the pages that a site's sitemaps name (sitemaps.org)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from scrapekit.errors import SpiderError
from scrapekit.messages import Request, Response
from scrapekit.spiders.links import Patterns, patterns
from scrapekit.spiders.routes import RoutedSpider
from scrapekit.spiders.sitemaps import MAX_DEPTH, Entry, read_sitemap
from scrapekit.web.robots import parse as parse_robots
from scrapekit.web.urls import join


class SitemapSpider(RoutedSpider):
    """A spider that goes to the pages that sitemaps name: XML, text, indexes of others, gzipped or not.

    Its pages go to the methods that they are routed to. Where it has routes and neither ``parse`` nor ``parse_other``
    is overridden, only those pages are requested for which there is one.

    A sitemap is one page of the crawl: what it names is in the frontier once it is done, and if the process dies
    before, it is read again. A file that is too large for memory is read from the disk; what is kept is what it names,
    at most 50,000 pages, which is what the protocol allows.
    """

    settings: ClassVar[Mapping[str, Any]] = {"http": {"max_body": "64MiB"}}  # a sitemap may have 50 MiB

    sitemap_urls: Iterable[str] = ()
    """Sitemaps; and sites (``https://example.org/``) or their robots.txt, which says where the sitemaps are. A site
    that does not say has it at ``/sitemap.xml``. From ``-a``, several are separated by spaces."""

    sitemap_follow: Patterns = ()
    """Which sitemaps of an index are read: regular expressions, one of which must be found in the URL; none: all."""

    sitemap_alternates: bool | str = False
    """Whether translations of a page (``<xhtml:link rel="alternate">``) are requested too; from ``-a``, ``true``."""

    since: str = ""
    """A date (``2024``, ``2024-05``, ``2024-05-01``, ``2024-05-01T10:00:00+02:00``): pages and sitemaps are left out
    whose ``lastmod`` is before. Those that have none, or none that can be read, are not."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._since = _span(self.since)[0] if self.since else None
        self._alternates = str(self.sitemap_alternates).lower() in {"true", "yes", "1"}
        self._follow = patterns(self.sitemap_follow, "sitemap_follow")
        own = type(self)
        generic = own.parse is RoutedSpider.parse and own.parse_other is RoutedSpider.parse_other
        self._routed_only = bool(self.routes) and generic

    def start(self) -> Iterable[Request]:
        """A request for each of ``sitemap_urls``.

        Raises:
            SpiderError: There are none.
        """
        urls = self.sitemap_urls.split() if isinstance(self.sitemap_urls, str) else self.sitemap_urls
        none = True
        for url in urls:
            none = False
            parts = urlsplit(url)
            if parts.path in {"", "/", "/robots.txt"} and not parts.query:
                robots = join(url, "/robots.txt") or url
                # Without a robots.txt, and where it says nothing, the sitemap is where most have it.
                yield Request(robots, self.parse_robots, handle_statuses=(401, 403, 404, 410))
            else:
                yield Request(url, self.parse_sitemap)
        if none:
            raise SpiderError(f"spider {self.name!r} has no sitemap_urls: a sitemap, a robots.txt or a site")

    def parse_robots(self, response: Response) -> Iterator[Request]:
        """robots.txt: on to the sitemaps that it names, else to ``/sitemap.xml``."""
        named = parse_robots(response.body, "*", 0.0).sitemaps if response.status == 200 else ()
        for sitemap in dict.fromkeys(named or ["/sitemap.xml"]):
            url = join(response.url, sitemap)
            if url is not None:
                yield Request(url, self.parse_sitemap, session=response.request.session)

    def parse_sitemap(self, response: Response, depth: int = 0) -> Iterator[Request]:
        """A sitemap: on to its pages, or to the sitemaps of an index."""
        found = read_sitemap(response.iter_bytes(), response.url)
        response.flags.extend(found.flags)
        session = response.request.session
        for entry in self.sitemap_filter(found.sitemaps):
            if depth < MAX_DEPTH and self._is_new(entry) and self._is_followed(entry.loc):
                yield Request(entry.loc, self.parse_sitemap, cb_kwargs={"depth": depth + 1}, session=session)
        for entry in self.sitemap_filter(found.urls):
            if self._is_new(entry):
                alternates = entry.alternates.values() if self._alternates else ()
                for url in dict.fromkeys((entry.loc, *alternates)):
                    request = self.page_request(url, entry)
                    if request is not None:
                        yield request if request.session or not session else request.replace(session=session)

    def sitemap_filter(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        """Which entries are wanted, of one sitemap or one index. To be overridden; by default all."""
        return entries

    def page_request(self, url: str, entry: Entry) -> Request | None:  # noqa: ARG002  (for those who override it)
        """The request for a page, or for a translation of it; None where it is not wanted. May be overridden."""
        if self._routed_only and self.routed(url) is None:
            return None
        return Request(url)

    def _is_new(self, entry: Entry) -> bool:
        if self._since is None or entry.lastmod is None:
            return True
        try:
            return _span(entry.lastmod)[1] > self._since
        except SpiderError:
            return True

    def _is_followed(self, url: str) -> bool:
        return not self._follow or any(pattern.search(url) for pattern in self._follow)


_YEAR_OR_MONTH = re.compile(r"(\d{4})(?:-(\d\d))?").fullmatch
_DAY = re.compile(r"\d{4}-\d\d-\d\d").fullmatch


def _span(text: str) -> tuple[datetime, datetime]:
    """The moment at which a W3C date begins, and that at which it is over: a year, a month, a day or a moment.

    Raises:
        SpiderError: It is no date.
    """
    text = text.strip()
    try:
        if found := _YEAR_OR_MONTH(text):
            year, month = int(found[1]), int(found[2] or 1)
            begin = datetime(year, month, 1, tzinfo=UTC)
            end = datetime(year + 1, 1, 1) if not found[2] or month == 12 else datetime(year, month + 1, 1)  # noqa: DTZ001
            return begin, end.replace(tzinfo=UTC)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        length = timedelta(days=1) if _DAY(text) else timedelta(microseconds=1)
        return moment, moment + length
    except (ValueError, OverflowError) as error:
        raise SpiderError(f"{text!r:.80} is not a date such as 2024-05-01 or 2024-05-01T10:00:00Z") from error
