"""Whether pages parse in parallel under the GIL: one thread's work against twice the work by two threads.

    python bench/parse_parallel.py

1.0 is perfect parallelism, 2.0 is none. Each thread parses with a parser of its own, as scrapekit does; the
counter-examples share one parser object, or one compiled XPath. A SHA-256, which shares nothing and holds no GIL, shows
what the machine has to give: unless its figure is near 1.0, something else was running and the others mean nothing.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lxml import etree
from parse_queries import CSS, page

from scrapekit.parse import HtmlDocument

PAGES = 40
SLOW = "//*[contains(., 'no such text')]"
ROUNDS = 40  # short ones, taken in turn, the best of each kept: all kinds get the same chance of a quiet moment


def seconds(pool: ThreadPoolExecutor, work: Callable[[], object], threads: int) -> float:
    """For ``threads`` times the work, each thread doing it once."""
    barrier = threading.Barrier(threads + 1)

    def start() -> None:
        barrier.wait()
        for _ in range(PAGES):
            work()

    running = [pool.submit(start) for _ in range(threads)]
    began = time.perf_counter()  # before the barrier: the threads may run on before this one wakes up
    barrier.wait()
    for future in running:
        future.result()
    return time.perf_counter() - began


def main() -> None:
    body = page()
    shared = etree.HTMLParser(encoding="utf-8", huge_tree=True)
    xpath = etree.XPath(SLOW, smart_strings=False)
    block = bytes(1_000_000)

    class Own(threading.local):
        def __init__(self) -> None:
            self.root = HtmlDocument(body).root
            self.xpath = etree.XPath(SLOW, smart_strings=False)

    own = Own()

    def document_and_queries() -> None:
        document = HtmlDocument(body)
        for query in CSS:
            document.css(query).getall()

    works: dict[str, Callable[[], object]] = {
        "the machine: SHA-256": lambda: hashlib.sha256(block).digest(),
        "scrapekit: a parser each": lambda: HtmlDocument(body),
        "scrapekit: parsing and four queries": document_and_queries,
        "one parser for all": lambda: etree.fromstring(body, shared),
        "compiled XPath: one each": lambda: own.xpath(own.root),
        "compiled XPath: one for all": lambda: xpath(own.root),
    }
    best = {(name, threads): float("inf") for name in works for threads in (1, 2)}
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            for (name, threads), least in best.items():
                best[name, threads] = min(least, seconds(pool, works[name], threads))
    print(
        f"{PAGES} pages of {len(body):,} bytes a thread, {os.cpu_count()} CPUs; 1 thread, 2 threads with twice the work"
    )
    for name in works:
        one, two = best[name, 1], best[name, 2]
        print(f"{name:38}{one * 1e3:8.1f} ms {two * 1e3:8.1f} ms {two / one:6.2f} x")


if __name__ == "__main__":
    main()
