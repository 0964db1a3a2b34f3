"""Scrapy, tuned for this work: no delay, no AutoThrottle, no telnet, no cookies, quiet. robots.txt is obeyed.

Usage: scrapy_peer.py URL OUTPUT IN_FLIGHT
"""

from __future__ import annotations

import sys

import scrapy
from scrapy.crawler import CrawlerProcess


class Docs(scrapy.Spider):
    name = "docs"

    def __init__(self, url: str, **arguments: str) -> None:
        super().__init__(**arguments)
        self.start_urls = [url]

    def parse(self, response: scrapy.http.HtmlResponse):
        yield {
            "url": response.url,
            "title": response.css("title::text").get(),
            "headings": response.css("h1::text, h2::text").getall(),
            "text_length": sum(map(len, response.css("p::text").getall())),
        }
        hrefs = response.css("a::attr(href)").getall()
        paths = dict.fromkeys(p for h in hrefs if (p := h.partition("#")[0]).endswith(".html") and "://" not in p)
        yield from response.follow_all(paths)


if __name__ == "__main__":
    start, output, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3])
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": in_flight,
            "CONCURRENT_REQUESTS_PER_DOMAIN": in_flight,
            "DOWNLOAD_DELAY": 0,
            "AUTOTHROTTLE_ENABLED": False,
            "ROBOTSTXT_OBEY": True,
            "COOKIES_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_LEVEL": "ERROR",
            "LOGSTATS_INTERVAL": 0,
            "MEMUSAGE_ENABLED": False,
            "SCRAPER_SLOT_MAX_ACTIVE_SIZE": 1 << 30,  # else it stops fetching at 5 MB of pages not parsed yet
            "FEEDS": {output: {"format": "jsonlines", "encoding": "utf-8", "overwrite": True}},
        }
    )
    process.crawl(Docs, url=start)
    process.start()
