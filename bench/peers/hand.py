"""The hand-written loop: what the framework is measured against for its own cost.

A ThreadPoolExecutor, one urllib3 PoolManager, compiled XPath with smart_strings off and an own parser per thread; links
are deduplicated in a set. Nothing is durable, retried, throttled or checked against robots.txt.

Usage: hand.py URL OUTPUT IN_FLIGHT
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO
from urllib.parse import urljoin

import urllib3
from lxml import etree


class Tools(threading.local):
    """A parser and the compiled queries of one thread: shared ones would serialise the threads."""

    def __init__(self) -> None:
        self.parser = etree.HTMLParser(encoding="utf-8")
        self.title = etree.XPath("//title/text()", smart_strings=False)
        self.headings = etree.XPath("//h1/text()|//h2/text()", smart_strings=False)
        self.paragraphs = etree.XPath("//p/text()", smart_strings=False)
        self.links = etree.XPath("//a/@href", smart_strings=False)


class Crawl:
    """One crawl. ``lock`` guards ``seen``, ``open`` and the output."""

    def __init__(self, in_flight: int, output: TextIO) -> None:
        self.pool = urllib3.PoolManager(maxsize=in_flight, block=True, retries=False)
        self.executor = ThreadPoolExecutor(in_flight)
        self.output = output
        self.tools = Tools()
        self.lock = threading.Lock()
        self.seen: set[str] = set()
        self.open = 0
        self.finished = threading.Event()

    def run(self, url: str) -> None:
        self.add([url])
        self.finished.wait()
        self.executor.shutdown()

    def add(self, urls: list[str]) -> None:
        with self.lock:
            new = [url for url in dict.fromkeys(urls) if url not in self.seen]
            self.seen.update(new)
            self.open += len(new)
        for url in new:
            self.executor.submit(self.work, url)

    def work(self, url: str) -> None:
        try:
            self.page(url)
        except Exception as error:
            print(f"{url}: {error!r}", file=sys.stderr)
        finally:
            with self.lock:
                self.open -= 1
                if self.open == 0:
                    self.finished.set()

    def page(self, url: str) -> None:
        response = self.pool.request("GET", url)
        if response.status != 200:
            return
        tools = self.tools
        tree = etree.fromstring(response.data, tools.parser)
        title = tools.title(tree)
        item = {
            "url": url,
            "title": title[0] if title else None,
            "headings": tools.headings(tree),
            "text_length": sum(map(len, tools.paragraphs(tree))),
        }
        hrefs = tools.links(tree)
        paths = dict.fromkeys(p for h in hrefs if (p := h.partition("#")[0]).endswith(".html") and "://" not in p)
        self.add([urljoin(url, path) for path in paths])
        line = json.dumps(item) + "\n"
        with self.lock:
            self.output.write(line)


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w", encoding="utf-8") as lines:
        Crawl(int(sys.argv[3]), lines).run(sys.argv[1])
