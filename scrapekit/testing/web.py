"""The :class:`SimulatedWeb`: a web as plain data, for crawls without a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from urllib3 import HTTPHeaderDict

from scrapekit.download import Reply as Downloaded
from scrapekit.download import Source
from scrapekit.errors import DownloadError, request_error
from scrapekit.fleet import Worker
from scrapekit.messages import Request, Response
from scrapekit.spider import Spider


@dataclass(frozen=True)
class SimulatedPage:
    """What one URL answers. Immutable.

    Args:
        links: Where it leads: one URL a line of the body, relative or not.
        status: The status code.
        headers: Name and value pairs, such as Location, Set-Cookie, Retry-After.
        text: The body, instead of ``links``.
        error: Name of a :class:`~scrapekit.errors.DownloadError` that comes instead of an answer.
    """

    links: tuple[str, ...] = ()
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    error: str | None = None

    @property
    def body(self) -> bytes:
        """What is sent, in UTF-8."""
        return ("\n".join(self.links) if self.text is None else self.text).encode()


Answer = SimulatedPage | Callable[[Request, int, str | None], SimulatedPage]

MISSING = SimulatedPage(status=404)


class SimulatedWeb:
    """Answers requests from a dict, through the real worker, so that callbacks, redirects and cookies are real.

    Args:
        pages: By URL. A sequence answers one visit after the other, the last one for ever; a function is given the
            request, the number of the visit (from 1) and the Cookie header. What is not there is a 404.

    Attributes:
        visits: How often each URL was asked for.
    """

    def __init__(self, pages: Mapping[str, Answer | tuple[Answer, ...]]) -> None:
        self.pages = pages
        self.visits: Counter[str] = Counter()

    def fetch(  # the interface of Downloader.fetch
        self,
        request: Request,
        *,
        host: str,  # noqa: ARG002
        maxsize: int = 8,  # noqa: ARG002
        cookies: str | None = None,
        proxy: str | None = None,  # noqa: ARG002
        authorization: str | None = None,  # noqa: ARG002
        first: int | None = None,  # noqa: ARG002
        again: bool = False,  # noqa: ARG002
    ) -> Downloaded:
        """One hop, as :meth:`scrapekit.download.Downloader.fetch` makes it.

        Raises:
            DownloadError: The page's ``error``.
        """
        self.visits[request.url] += 1
        visit = self.visits[request.url]
        answer = self.pages.get(request.url, MISSING)
        if isinstance(answer, tuple):
            answer = answer[min(visit, len(answer)) - 1]
        page = answer if isinstance(answer, SimulatedPage) else answer(request, visit, cookies)
        if page.error is not None:
            kind = request_error(page.error)
            assert issubclass(kind, DownloadError), f"not a DownloadError: {page.error}"
            raise kind(f"simulated {page.error}", request)
        return Downloaded(request.url, page.status, HTTPHeaderDict(page.headers), page.body, 0.0, ())

    def worker(
        self, spider: Spider, parse: Callable[[Response], Any] = lambda response: response.text, **options: Any
    ) -> Worker:
        """A real worker whose downloads come from here."""
        return Worker(spider, cast("Source", self), parse, **options)


class LinkSpider(Spider):
    """Follows every link of a simulated page, and yields one item a page: its URL.

    Args:
        start_urls: Where it starts.
    """

    name = "links"

    def __init__(self, start_urls: Iterable[str] = (), **arguments: Any) -> None:
        super().__init__(start_urls=tuple(start_urls), **arguments)

    def parse(self, response: Response) -> Any:
        """One item, and all links."""
        yield {"url": response.url}
        for line in response.text.splitlines():
            yield Request(response.urljoin(line))
