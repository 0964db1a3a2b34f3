"""The composition root: reads settings, finds spiders, and wires the rooms into a crawl."""

from scrapekit.project.crawling import Crawl
from scrapekit.project.library import crawl, fetch, run
from scrapekit.project.report import CrawlReport

__all__ = ["Crawl", "CrawlReport", "crawl", "fetch", "run"]
