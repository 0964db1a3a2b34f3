"""What a page says about itself to robots: noindex, nofollow, and which URL is its canonical one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from scrapekit.messages import Response
from scrapekit.web.urls import join

_FOR_ONE_BOT = re.compile(r"\s*([\w-]+)\s*:").match
_NOT_BOTS = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
_META = "//meta[translate(@name, 'ROBTS', 'robts') = 'robots']/@content"
_LINK_ELEMENT = "//link[contains(concat(' ', translate(@rel, 'CANOIL\t\n', 'canoil  '), ' '), ' canonical ')]/@href"
_LINK = re.compile(r"<([^<>]*)>((?:[^,\"<]|\"[^\"]*\")*)").findall
_REL = re.compile(r";\s*rel\s*=\s*\"?([^\";]*)", re.IGNORECASE).search


class Directives(NamedTuple):
    """What a page says.

    Args:
        noindex: It should not be found: what is on it is not to be taken.
        nofollow: Its links should not be followed.
        canonical: The URL that stands for it, absolute and fit to be fetched; may be its own; None where it names none.
    """

    noindex: bool = False
    nofollow: bool = False
    canonical: str | None = None


def directives(response: Response) -> Directives:
    """What ``response`` says to all robots, by elements and by headers. What is for one robot by name is not read.

    ``<meta name="robots">`` and X-Robots-Tag as the large search engines read them (``none`` is both);
    ``<link rel="canonical">`` and the Link header (RFC 6596, RFC 8288). The element wins over the header; of several
    elements that name different URLs, none is believed.

    Raises:
        ParseError: The response can't be parsed.
    """
    words = {word for value in _robots_values(response) for word in re.split(r"[\s,]+", value.lower())}
    return Directives(
        noindex=not words.isdisjoint({"noindex", "none"}),
        nofollow=not words.isdisjoint({"nofollow", "none"}),
        canonical=_canonical(response),
    )


def _robots_values(response: Response) -> Iterator[str]:
    for value in response.headers.getlist("x-robots-tag"):
        named = _FOR_ONE_BOT(value)
        if named is None or named[1].lower() in _NOT_BOTS:
            yield value
    if hasattr(response.doc, "css"):
        yield from response.xpath(_META).getall()


def _canonical(response: Response) -> str | None:
    if hasattr(response.doc, "css"):
        hrefs = response.xpath(_LINK_ELEMENT).getall()
        urls = {join(response.doc.base_url, href) for href in hrefs if href.strip()}
        if urls:
            return urls.pop() if len(urls) == 1 else None
    return next((join(response.url, target) for target in header_links(response, "canonical")), None)


def header_links(response: Response, relation: str) -> Iterator[str]:
    """The targets of one relation in the Link headers (RFC 8288), as they are written."""
    for value in response.headers.getlist("link"):
        for target, parameters in _LINK(value):
            rel = _REL(parameters)
            if rel is not None and relation in rel[1].lower().split():
                yield target
