"""A spider as a user writes it, for a strict type checker."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import assert_type

import msgspec

from scrapekit import Request, Response, Spider
from scrapekit.errors import ItemError
from scrapekit.items import (
    Field,
    Item,
    checked,
    css,
    each,
    given,
    join,
    link,
    page_url,
    regex,
    strip,
    take_first,
    to_date,
    to_int,
    to_price,
    xpath,
)


class Author(Item):
    name = css("h3::text", strip)
    born = css("span::text", to_date("%B %d, %Y")).default(None)


class Quote(Item):
    unique = ["text"]
    text = css("span.text::text")
    price = xpath(".//b/text()", strip, regex(r"\d+"), to_price)
    tags = each("a.tag::text", strip)
    authors = each("div.author", Author)
    first = css("div.author", Author)
    about = each("p::text").then(join(" "))
    head = each("h1::text").then(take_first)
    counts = each(xpath(".//i/text()", to_int))
    next = link("li.next a")
    url = page_url()
    page = given(int).default(1)


class Model(msgspec.Struct):
    n: int


def what_the_types_are(quote: Quote) -> None:
    assert_type(quote.text, str)
    assert_type(quote.price, Decimal)
    assert_type(quote.tags, list[str])
    assert_type(quote.authors, list[Author])
    assert_type(quote.authors[0].born, date | None)
    assert_type(quote.first, Author)
    assert_type(quote.about, str)
    assert_type(quote.head, str)
    assert_type(quote.counts, list[int])
    assert_type(quote.next, str)
    assert_type(quote.url, str)
    assert_type(quote.page, int)
    assert_type(Quote.text, Field[str])
    assert_type(checked(Model, n=1), Model | ItemError)
    quote.page = "2"  # type: ignore[assignment]  # unused, and so an error, if it were allowed
    quote.pages = 2  # type: ignore[attr-defined]


class Quotes(Spider):
    start_urls = ["https://quotes.toscrape.com/"]

    def parse(self, response: Response) -> Iterator[Quote | Author | Request]:
        for quote in Quote.all(response, "div.quote", page=2):
            quote.tags.append("new")
            yield quote
        for box in response.css("div.author"):
            yield Author.from_response(response, box)
        yield Author.from_response(response)
        yield from response.follow_all("li.next a")
