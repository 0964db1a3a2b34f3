"""Kinds of spider: what many sites have in common, on top of :class:`~scrapekit.Spider`, which knows none of it."""

from scrapekit.spiders.crawl import CrawlSpider, Rule
from scrapekit.spiders.directives import Directives, directives
from scrapekit.spiders.feed import FeedSpider
from scrapekit.spiders.links import FoundLink, LinkExtractor
from scrapekit.spiders.lists import ListSpider
from scrapekit.spiders.routes import RoutedSpider, route
from scrapekit.spiders.rows import CSVSpider, iter_rows
from scrapekit.spiders.sitemap import SitemapSpider
from scrapekit.spiders.sitemaps import Entry
from scrapekit.spiders.xmlnodes import XMLSpider, iter_nodes

__all__ = [
    "CSVSpider",
    "CrawlSpider",
    "Directives",
    "Entry",
    "FeedSpider",
    "FoundLink",
    "LinkExtractor",
    "ListSpider",
    "RoutedSpider",
    "Rule",
    "SitemapSpider",
    "XMLSpider",
    "directives",
    "iter_nodes",
    "iter_rows",
    "route",
]
