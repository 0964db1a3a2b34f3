"""What the URLs of a list answer: a check of links, and a start for a spider of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scrapekit import Response
from scrapekit.spiders import ListSpider


class Urls(ListSpider):
    """Status, size and title of each URL in a file (-a file=urls.txt, or - for standard input)."""

    name = "urls"
    allowed_domains = None

    def parse(self, response: Response) -> Iterator[dict[str, Any]]:
        """One item a page."""
        html = "html" in response.headers.get("Content-Type", "")
        yield {
            "url": response.url,
            "status": response.status,
            "size": response.size,
            "title": response.css("title::text").get() if html else None,
        }
