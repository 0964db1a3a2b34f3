"""Crawlee's ParselCrawler, tuned for this work: a fixed concurrency, no sessions, quiet. robots.txt is obeyed.

Its queue is kept in memory, or, with ``disk``, in files, as by default: then the crawl can be resumed after a kill.

Usage: crawlee_peer.py URL OUTPUT IN_FLIGHT memory|disk
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import TextIO
from urllib.parse import urljoin

from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.storage_clients import FileSystemStorageClient, MemoryStorageClient


async def crawl(start: str, lines: TextIO, in_flight: int, storage: str) -> None:
    crawler = ParselCrawler(
        concurrency_settings=ConcurrencySettings(
            min_concurrency=in_flight, max_concurrency=in_flight, desired_concurrency=in_flight
        ),
        storage_client=FileSystemStorageClient() if storage == "disk" else MemoryStorageClient(),
        use_session_pool=False,
        retry_on_blocked=False,
        respect_robots_txt_file=True,
        configure_logging=False,
    )

    @crawler.router.default_handler
    async def page(context: ParselCrawlingContext) -> None:
        selector = context.selector
        item = {
            "url": context.request.url,
            "title": selector.css("title::text").get(),
            "headings": selector.css("h1::text, h2::text").getall(),
            "text_length": sum(map(len, selector.css("p::text").getall())),
        }
        lines.write(json.dumps(item) + "\n")
        hrefs = selector.css("a::attr(href)").getall()
        paths = dict.fromkeys(p for h in hrefs if (p := h.partition("#")[0]).endswith(".html") and "://" not in p)
        await context.add_requests([urljoin(item["url"], path) for path in paths])

    await crawler.run([start])


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    with Path(sys.argv[2]).open("w", encoding="utf-8") as output:
        asyncio.run(crawl(sys.argv[1], output, int(sys.argv[3]), sys.argv[4]))
