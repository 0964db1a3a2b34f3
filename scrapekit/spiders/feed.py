"""The :class:`FeedSpider`: RSS and Atom, an entry at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

from scrapekit.messages import Response
from scrapekit.parse import Selector
from scrapekit.spider import Spider
from scrapekit.spiders.routes import each
from scrapekit.spiders.xmlnodes import iter_nodes
from scrapekit.web.headers import content_type
from scrapekit.web.urls import join

_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_DC = "http://purl.org/dc/elements/1.1/"
_NAMESPACES = {"content_": _CONTENT, "dc_": _DC}
_HEAD = 2048
_FEED = re.compile(rb"<(?:\w+:)?(?:rss|feed|RDF)[\s>]").search
_FEEDS = (
    r"//link[re:test(@rel, '(^|\s)alternate(\s|$)', 'i')"
    r" and re:test(@type, '^\s*application/(rss|atom)\+xml\s*(;|$)', 'i')]/@href"
)


class FeedSpider(Spider):
    """A spider of feeds: RSS 2.0 (and 0.9x, 1.0) and Atom (RFC 4287), with one entry in memory at a time.

    Each entry becomes a dict with ``title``, ``link``, ``published``, ``summary`` and ``id``; what it does not have is
    None. A page of HTML leads to the feeds that it names.
    """

    def parse(self, response: Response) -> Iterator[Any]:
        """Every entry of the feed, or the feeds of a page."""
        media_type = content_type(response.headers.get("content-type")).media_type
        # Many a feed is served as HTML.
        if media_type.endswith("html") and not _FEED(next(response.iter_bytes(_HEAD), b"")):
            yield from response.follow_all(response.xpath(_FEEDS))
            return
        for node in iter_nodes(response, "item", "entry", namespaces=_NAMESPACES):
            entry = _atom(node, response.url) if node.root.tag == "entry" else _rss(node, response.url)
            yield from each(self.parse_entry(response, entry, node))

    def parse_entry(self, response: Response, entry: dict[str, str | None], node: Selector) -> Any:  # noqa: ARG002
        """One entry: what it yields are items and requests. By default the entry itself is the item.

        Args:
            response: The feed.
            entry: ``title`` and ``summary`` as text, which may hold HTML; ``link`` as an absolute URL; ``published`` in
                ISO 8601 where it could be read, else as it is written; ``id``, or the link where it has none.
            node: The element, for all else.
        """
        return entry


def _rss(node: Selector, url: str) -> dict[str, str | None]:
    guid = _text(node, "guid")
    link = _text(node, "link") or (guid if node.xpath("guid[not(@isPermaLink='false')]") else None)
    link = join(url, link) if link else None
    return {
        "title": _text(node, "title"),
        "link": link,
        "published": _date(_text(node, "pubDate") or _text(node, "dc_:date")),
        "summary": _text(node, "description") or _text(node, "content_:encoded"),
        "id": guid or link,
    }


def _atom(node: Selector, url: str) -> dict[str, str | None]:
    for base in node.xpath("ancestor-or-self::*/@xml:base").getall():
        url = join(url, base) or url
    href = node.xpath("link[not(@rel) or @rel='alternate']/@href").get()
    link = join(url, href) if href else None
    return {
        "title": _text(node, "title"),
        "link": link,
        "published": _date(_text(node, "published") or _text(node, "updated")),
        "summary": _text(node, "summary") or _text(node, "content"),
        "id": _text(node, "id") or link,
    }


def _text(node: Selector, path: str) -> str | None:
    """All the text of the first child of that name, without outer space; None for none."""
    found = node.xpath(path)
    return ("".join(found[0].root.itertext()).strip() or None) if found else None


def _date(text: str | None) -> str | None:
    """An RFC 822 date, as RSS has it, in ISO 8601; any other as it is."""
    if text is not None:
        with suppress(ValueError, OverflowError):
            return parsedate_to_datetime(text).isoformat()
    return text
