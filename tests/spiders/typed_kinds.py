"""Spiders of each kind, typed: tests/test_typing.py has mypy read them. Nothing runs them."""

from collections.abc import Iterator
from typing import Any

from scrapekit import CrawlSpider, LinkExtractor, Request, Response, Rule, SitemapSpider, route
from scrapekit.parse import Selector
from scrapekit.spiders import CSVSpider, Entry, FeedSpider, ListSpider, XMLSpider, directives, iter_nodes


class Shop(CrawlSpider):
    start_urls = ["https://ex.com/"]
    rules = [Rule(LinkExtractor("/p/", restrict_css="main"), "product", cb_kwargs={"a": 1}), Rule("/list/")]
    obeys = ["canonical"]

    def product(self, response: Response, a: int) -> Iterator[dict[str, Any]]:
        yield {"title": response.css("h1::text").get(), "a": a, "no": directives(response).noindex}

    @route(r"/x/")
    def other(self, response: Response) -> Iterator[Request]:
        yield from response.follow_all("a", self.product)


class Maps(SitemapSpider):
    sitemap_urls = ["https://ex.com/"]
    since = "2024"
    sitemap_follow = [r"/products"]

    def sitemap_filter(self, entries: Any) -> Iterator[Entry]:
        for entry in entries:
            if "x" in entry.loc:
                yield entry

    @route("/p/", "/q/")
    def page(self, response: Response) -> dict[str, str]:
        return {"url": response.url}


class Feed(FeedSpider):
    def parse_entry(self, response: Response, entry: dict[str, str | None], node: Selector) -> Any:
        yield entry


class Nodes(XMLSpider):
    itertag = "book"
    namespaces = {"g": "urn:g"}

    def parse_node(self, response: Response, node: Selector) -> dict[str, str | None]:
        return {"id": node.xpath("@id").get()}


class Rows(CSVSpider):
    delimiter = ";"
    headers = ["a", "b"]

    def parse_row(self, response: Response, row: dict[str, str | None]) -> dict[str, Any]:
        return row | {"b": float(row["b"] or 0)}


class Lines(ListSpider):
    file = "urls.txt"
    allowed_domains = None

    def parse(self, response: Response) -> Iterator[dict[str, str]]:
        for node in iter_nodes(response, "a"):
            yield {"url": node.get()}
