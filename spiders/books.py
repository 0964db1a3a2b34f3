"""The books of https://books.toscrape.com/: list pages that lead to a page for each book."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from scrapekit import Request, Response, Spider

RATINGS = {"One": 1, "Two": 2, "Three": 3, "Four": 4, "Five": 5}


class Books(Spider):
    """Title, price, rating, stock, category and UPC of each book of books.toscrape.com (-a url= for a site like it)."""

    name = "books"
    url = "https://books.toscrape.com/"

    def start(self) -> Iterable[Request]:
        """The first list page."""
        yield Request(self.url)

    def parse(self, response: Response) -> Iterator[Request]:
        """A list page: on to its books, and to the next list page."""
        yield from response.follow_all("article.product_pod h3 a", self.parse_book)
        yield from response.follow_all("li.next a")

    def parse_book(self, response: Response) -> Iterator[dict[str, Any]]:
        """A book's own page: one item."""
        book = response.css("div.product_main")
        yield {
            "title": book.css("h1::text").get(),
            "price": float(book.css("p.price_color::text").re(r"[\d.]+")[0]),
            "rating": RATINGS[book.css("p.star-rating::attr(class)").re(r"star-rating (\w+)")[0]],
            "stock": int(book.css("p.availability::text").re(r"\((\d+) available\)")[0]),
            "category": response.css("ul.breadcrumb li:nth-child(3) a::text").get(),
            "upc": response.xpath("//th[.='UPC']/following-sibling::td/text()").get(),
            "url": response.url,
        }
