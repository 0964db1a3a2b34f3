"""Where a page leads: its links, and the next page of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from w3lib.url import add_or_replace_parameter

from scrapekit.declarative import schema
from scrapekit.declarative.leaves import filled
from scrapekit.declarative.places import finding, href, text
from scrapekit.messages import Request, Response
from scrapekit.spiders import LinkExtractor
from scrapekit.spiders.directives import header_links
from scrapekit.web.urls import join

_NEXT = "link[rel~='next'], a[rel~='next']"

Links = Callable[[Response], Iterator[Request]]


def links(one: schema.Links, callbacks: Mapping[str, str], *, endorsed: bool) -> Links:
    """What makes the requests for links of a page.

    Args:
        one: Which, and to which kind of page.
        callbacks: The method of each kind.
        endorsed: Whether links with ``rel=nofollow`` are left out.
    """
    extractor = LinkExtractor(one.allow, one.deny, nofollow=not endorsed)
    callback = None if one.to is None else callbacks[one.to]
    if not (one.reads_markup or one.reads_json or one.regex):
        return lambda page: page.follow_all((link.url for link in extractor.links(page)), callback)
    find = finding(one)

    def requests(page: Response) -> Iterator[Request]:
        urls = {url: None for value in _each(find(page)) for url in _joined(page, [href(value)])}
        return page.follow_all([url for url in urls if extractor.wants(url)], callback)

    return requests


class Following:
    """The next page of a list. Immutable; any thread.

    Args:
        one: What the file says of it.
        values: Those of the spider's arguments.
        callback: The method that gets it.
    """

    def __init__(self, one: schema.Next, values: Mapping[str, str], callback: str | None) -> None:
        self._one = one
        self._values = dict(values)
        self._callback = callback
        self._find = None if one.counts or one.rel is not None else finding(one)

    def requests(self, page: Response, number: int | None, *, found: str, ended: bool) -> Iterator[Request]:
        """The requests for it: none at the end, and of a query as many as it finds.

        Args:
            page: This page.
            number: What it is counted as; None for the first one.
            found: What tells it from other pages where they are counted.
            ended: Whether it has given nothing, or what the page before had: where pages are counted, that is the end.
        """
        one = self._one
        if not one.counts:
            yield from page.follow_all(self._found(page), self._callback)
            return
        number = (one.first if number is None else number) + one.step
        if not ended and (one.until == "empty" or number <= one.until):
            urls = _joined(page, [self._placed(page, "page", str(number))])
            yield from page.follow_all(urls, self._callback, cb_kwargs={"number": number, "before": found})

    def _found(self, page: Response) -> list[str]:
        """URLs, each once."""
        if self._find is None:
            marked = map(href, page.css(_NEXT)) if hasattr(page.doc, "css") else ()
            return _joined(page, [*marked, *header_links(page, "next")])
        values = _each(self._find(page))
        if self._one.parameter is None and self._one.template is None:
            return _joined(page, map(href, values))
        return _joined(page, (self._placed(page, "value", text(value)) for value in values if value not in ("", False)))

    def _placed(self, page: Response, name: str, value: str) -> str:
        """The URL with a number, or what was found, where it belongs."""
        if self._one.parameter is not None:
            return add_or_replace_parameter(page.url, self._one.parameter, value)
        return filled(self._one.template or "", {**self._values, name: value})


def _joined(page: Response, hrefs: Iterable[str]) -> list[str]:
    """Absolute URLs of what can be fetched, each once."""
    urls = (page.urljoin(written.strip()) for written in hrefs if written.strip())
    return list(dict.fromkeys(url for url in urls if join(url, url)))


def _each(values: Iterable[object]) -> Iterator[object]:
    """Single values, also of lists, which JMESPath finds."""
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value
