"""Spiders of each kind, typed: tests/test_typing.py has mypy read them. Nothing runs them."""

from collections.abc import Iterator
from typing import Any

from scrapekit import CrawlSpider, Form, LinkExtractor, Request, Response, Rule, SitemapSpider, Spider, route
from scrapekit.errors import Banned, ProxyError, RequestError, StatusError
from scrapekit.hooks import BanRules, RotateUserAgents
from scrapekit.parse import Selector
from scrapekit.pipelines import FilesPipeline, ImagesPipeline
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


class Careful:
    def __init__(self) -> None:
        self.failed: set[str | None] = set()

    def before_request(self, request: Request) -> Request:
        return request.replace(headers={"X-Own": "1"})

    def after_response(self, response: Response) -> None:
        if "captcha" in response.text:
            raise Banned("a captcha", retry=response.request.replace(session="other"), wait=10)

    def on_error(self, error: RequestError) -> None:
        if isinstance(error, ProxyError) and error.request is not None:
            self.failed.add(error.request.proxy)


class Priced:
    def process(self, product: dict[str, Any]) -> dict[str, Any]:
        return product | {"priced": True}


def titled(product: dict[str, Any]) -> dict[str, Any]:
    return product | {"title": "?"}


class Covers(Shop):
    pipelines = [Priced, titled, ImagesPipeline("covers"), FilesPipeline("files", field="manual"), Priced()]


class Visitors(Spider):
    start_urls = ["https://ex.com/login"]
    hooks = [Careful, RotateUserAgents(["a/1"]), BanRules(statuses=[403]), "installed"]
    settings = {"http": {"proxies": ["http://one.ex.com:1"]}}

    def parse(self, response: Response) -> Iterator[Request]:
        form = Form.from_response(response, css="form")
        yield form.submit({"user": "ann", "pin": 1}, self.inside, dont_filter=True, errback=self.failed)
        yield Request(response.url, self.inside, session="bob", cookies=response.cookies, handle_statuses=[404, 410])

    def inside(self, response: Response) -> dict[str, str | None]:
        return {"user": response.cookies.get("user"), "href": response.css("a").attrib["href"]}

    def failed(self, error: RequestError) -> Iterator[dict[str, int]]:
        if isinstance(error, StatusError) and error.response is not None:
            yield {"status": error.response.status}
