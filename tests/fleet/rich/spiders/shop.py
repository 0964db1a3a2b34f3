"""Rules, routes, items of all kinds, pipelines, files, hooks: what a spider of pages may use."""

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

import attrs
import msgspec
import pydantic
from journal import note, whoami

from scrapekit import CrawlSpider, LinkExtractor, Request, Rule, route
from scrapekit.errors import DropItem
from scrapekit.hooks import BanRules, RotateUserAgents
from scrapekit.items import checked
from scrapekit.pipelines import FilesPipeline, ImagesPipeline

logger = logging.getLogger("shop")


@dataclass
class Plain:
    sku: str
    price: int
    images: list[str]


@attrs.define
class Attrs:
    sku: str
    price: int
    images: list[str] = attrs.field(factory=list)


class Packed(msgspec.Struct):
    sku: str
    price: int
    images: list[str] = []


class Model(pydantic.BaseModel):
    sku: str
    price: int
    images: list[str] = []


KINDS = (Plain, Attrs, Packed, Model, dict)


class Watch:
    """All methods that a hook can have."""

    folder = ""

    def on_start(self, spider):
        note(self.folder, "start", spider.name)

    def new_request(self, request):
        note(self.folder, "new", urlsplit(request.url).path, request.callback)
        return request.replace(meta={**request.meta, "watched": True})

    def before_request(self, request):
        note(self.folder, "before", urlsplit(request.url).path, request.jar, request.meta.get("watched"))
        return request.replace(headers={**request.headers, "X-Hook": request.jar or "no session"})

    def after_response(self, response):
        note(self.folder, "after", urlsplit(response.url).path, response.status)

    def on_item(self, item):
        note(self.folder, "item", type(item).__name__)

    def on_error(self, error):
        note(self.folder, "error", type(error).__name__, urlsplit(error.request.url).path)

    def on_finish(self, report):
        note(self.folder, "finish", report.items)


class Counted:
    """A pipeline that is opened and closed."""

    folder = ""

    def __init__(self):
        note(self.folder, "opened", whoami())

    def process(self, item):
        note(self.folder, "passed", type(item).__name__)
        return item

    def close(self):
        note(self.folder, "closed", whoami())


def enriched(item):
    """Changes an item, or drops it."""
    if isinstance(item, dict):
        if item.get("sku") == "sku-9":
            raise DropItem("not for sale")
        return item | {"enriched": True}
    return item


class Shop(CrawlSpider):
    rules = (
        Rule(r"/shop/list/"),
        Rule(LinkExtractor(r"/shop/p/", restrict_css="main"), "product", errback="gone", cb_kwargs={"by": "rule"}),
        Rule(LinkExtractor(r"/shop/(guarded|agent|hidden)"), process_request="tagged", follow=False),
    )
    obeys = ("nofollow", "noindex", "canonical")
    unique = ("sku",)
    settings = {"crawl": {"ignore_parameters": ["utm_*"], "max_depth": 6, "fail_if": {"items_below": 5}}}

    def __init__(self, url, folder):
        super().__init__(url=url, folder=folder)
        own = {"folder": folder}
        self.hooks = [
            type("Watch", (Watch,), own), RotateUserAgents(["rich/1"]), BanRules(text="access denied", sessions=["a", "b"]),
        ]  # fmt: skip
        files = FilesPipeline(f"{folder}/files", field="manual", types=["text/plain"])
        self.pipelines = [
            enriched,
            type("Counted", (Counted,), own),
            files,
            ImagesPipeline(f"{folder}/images", field="images"),
        ]

    def start(self):
        yield Request(f"{self.url}/shop/list/0", cookies={"entered": "yes"})

    def product(self, response, by):
        number = int(response.css("h1::text").get())
        fields = {"sku": f"sku-{number}", "price": number * 10, "images": response.css("img::attr(src)").getall()}
        logger.info("product %d by %s", number, by, extra={"event": "product", "status": number})
        if number == 7:
            fields["price"] = "gratis"  # no model, and no number
        kind = KINDS[number % len(KINDS)]
        yield checked(kind, **fields) if kind is not dict else fields | {"manual": "/shop/manual.txt"}

    @route(r"/shop/guarded")
    def guarded(self, response):
        yield {"sku": "guarded", "session": response.request.jar, "text": response.text}

    @route(r"/shop/agent")
    def agent(self, response):
        yield {"sku": "agent", "text": response.text, "sees": response.cookies, "tag": response.meta["tag"]}

    @route(r"/shop/hidden")
    def hidden(self, response):
        yield {"sku": "never: it says noindex"}

    def tagged(self, request, response):
        return request.replace(meta={**request.meta, "tag": "rule"})

    def gone(self, error):
        yield {"sku": "gone", "error": f"{type(error).__name__} {error.response.status}"}
