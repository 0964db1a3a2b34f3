"""scrapekit: a thread-pooled scraping framework on one blocking urllib3 PoolManager."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrapekit.errors import DropItem as DropItem
    from scrapekit.errors import StopCrawl as StopCrawl
    from scrapekit.forms import Form as Form
    from scrapekit.messages import Failed as Failed
    from scrapekit.messages import Request as Request
    from scrapekit.messages import Response as Response
    from scrapekit.project import CrawlReport as CrawlReport
    from scrapekit.project import crawl as crawl
    from scrapekit.project import fetch as fetch
    from scrapekit.project import run as run
    from scrapekit.spider import Spider as Spider
    from scrapekit.spiders import CrawlSpider as CrawlSpider
    from scrapekit.spiders import LinkExtractor as LinkExtractor
    from scrapekit.spiders import Rule as Rule
    from scrapekit.spiders import SitemapSpider as SitemapSpider
    from scrapekit.spiders import route as route

_HOMES = {
    "CrawlReport": "scrapekit.project",
    "CrawlSpider": "scrapekit.spiders",
    "DropItem": "scrapekit.errors",
    "Failed": "scrapekit.messages",
    "Form": "scrapekit.forms",
    "LinkExtractor": "scrapekit.spiders",
    "Request": "scrapekit.messages",
    "Response": "scrapekit.messages",
    "Rule": "scrapekit.spiders",
    "SitemapSpider": "scrapekit.spiders",
    "Spider": "scrapekit.spider",
    "StopCrawl": "scrapekit.errors",
    "crawl": "scrapekit.project",
    "fetch": "scrapekit.project",
    "route": "scrapekit.spiders",
    "run": "scrapekit.project",
}

__all__ = [
    "CrawlReport",
    "CrawlSpider",
    "DropItem",
    "Failed",
    "Form",
    "LinkExtractor",
    "Request",
    "Response",
    "Rule",
    "SitemapSpider",
    "Spider",
    "StopCrawl",
    "crawl",
    "fetch",
    "route",
    "run",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `scrapekit --version` need not load lxml and urllib3."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'scrapekit' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
