"""Any documentation site: every HTML page under a folder, with its headings and how much text it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from scrapekit import Request, Response, Spider
from scrapekit.errors import SpiderError

NOT_HTML = (
    "7z|avi|bmp|bz2|css|csv|deb|dmg|doc|docx|eot|epub|exe|gif|gz|ico|inv|iso|jar|jpe?g|js|json|md|mobi|mov|mp3|mp4|mpe?g"
    "|odt|ogg|otf|pdf|png|ppt|pptx|ps|rar|rpm|rss|rst|svg|tar|tgz|tiff?|ttf|txt|wav|webm|webp|whl|woff2?|xls|xlsx|xml|xz"
    "|zip|zst"
)


class Docs(Spider):
    """Title, headings and length of text of every page of a documentation site (-a url=https://docs.example.org/3/).

    The crawl stays on the hosts of the start URL, which is what ``allowed_domains`` defaults to, and in the folder of
    the start URL: from ``/3/tutorial/index.html`` it follows links to ``/3/tutorial/`` and below, not to ``/2/``. Links
    whose extension says that they are not HTML, such as ``.zip`` and ``.png``, are not fetched at all.
    """

    name = "docs"

    def __init__(self, url: str = "", **arguments: Any) -> None:
        super().__init__(url=url, **arguments)
        if not url:
            raise SpiderError("spider 'docs' needs a start URL: -a url=https://docs.example.org/")
        folder = re.escape(urlsplit(urljoin(Request(url).url, ".")).path)
        # Any host, http or https: allowed_domains decides about hosts, and sites redirect from one scheme to the other.
        self.wanted = re.compile(rf"https?://[^/]+{folder}(?![^?]*\.(?i:{NOT_HTML})(?:$|\?))")

    def start(self) -> Iterable[Request]:
        """The page that ``-a url=`` names."""
        yield Request(self.url)

    def parse(self, response: Response) -> Iterator[dict[str, Any] | Request]:
        """Any page: an item if it is HTML, and on to the pages that it links to."""
        if "html" not in response.headers.get("Content-Type", "html").lower():
            return
        yield {
            "url": response.url,
            "title": response.xpath("normalize-space(//title)").get(),
            "headings": [heading.xpath("normalize-space()").get() for heading in response.css("h1, h2")],
            "text_length": sum(map(len, response.xpath("//p//text()").getall())),
        }
        for request in response.follow_all("a"):
            if self.wanted.match(request.url):
                yield request
