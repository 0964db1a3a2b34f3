"""The quotes of https://quotes.toscrape.com/: one page after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scrapekit import Request, Response, Spider
from scrapekit.items import Item, css, each


class Quote(Item):
    """One quote."""

    text = css("span.text::text")
    author = css("small.author::text")
    tags = each("a.tag::text")


class Quotes(Spider):
    """Text, author and tags of every quote of quotes.toscrape.com (-a url= for a site like it)."""

    name = "quotes"
    url = "https://quotes.toscrape.com/"

    def start(self) -> Iterable[Request]:
        """The first page."""
        yield Request(self.url)

    def parse(self, response: Response) -> Iterator[Quote | Request]:
        """A page of quotes: an item for each, and on to the next page."""
        yield from Quote.all(response, "div.quote")
        yield from response.follow_all("li.next a")
