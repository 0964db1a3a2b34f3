"""The benchmark's work as a spider: four selectors and all links of each page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scrapekit import Response, Spider


class DocsBench(Spider):
    """``-a url=...`` is where it starts."""

    name = "docs_bench"

    def __init__(self, url: str, **arguments: str) -> None:
        super().__init__(**arguments)
        self.start_urls = [url]

    def parse(self, response: Response) -> Iterator[Any]:
        yield {
            "url": response.url,
            "title": response.css("title::text").get(),
            "headings": response.css("h1::text, h2::text").getall(),
            "text_length": sum(map(len, response.css("p::text").getall())),
        }
        hrefs = response.css("a::attr(href)").getall()
        paths = dict.fromkeys(p for h in hrefs if (p := h.partition("#")[0]).endswith(".html") and "://" not in p)
        yield from response.follow_all(paths)
