"""The quotes of https://quotes.toscrape.com/: one page after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from scrapekit import Request, Response, Spider


class Quotes(Spider):
    """Text, author and tags of every quote of quotes.toscrape.com (-a url= for a site like it)."""

    name = "quotes"
    url = "https://quotes.toscrape.com/"

    def start(self) -> Iterable[Request]:
        """The first page."""
        yield Request(self.url)

    def parse(self, response: Response) -> Iterator[dict[str, Any] | Request]:
        """A page of quotes: an item for each, and on to the next page."""
        for quote in response.css("div.quote"):
            yield {
                "text": quote.css("span.text::text").get(),
                "author": quote.css("small.author::text").get(),
                "tags": quote.css("a.tag::text").getall(),
            }
        yield from response.follow_all("li.next a")
