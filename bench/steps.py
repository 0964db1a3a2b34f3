"""What each step of a page costs, page after page in one thread: with the bare libraries, and with scrapekit."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urljoin

import docsite
import urllib3
from lxml import etree
from peers.hand import Tools

from scrapekit import Request, Response
from scrapekit.download import Downloader
from scrapekit.messages import encode_item, link_of
from scrapekit.parse import Parsers


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/steps.py", description=__doc__)
    parser.add_argument("--root", type=Path, help="another folder of HTML, instead of python3-doc")
    parser.add_argument("--pages", type=int, default=500, help="how many pages are measured (500)")
    options = parser.parse_args()
    root = (options.root or docsite.documentation()).resolve()
    paths = sorted(root.rglob("*.html"))[: options.pages]
    with docsite.serve(root, [0]) as bases:
        urls = [bases[0] + str(path.relative_to(root)) for path in paths]
        times, totals = bare(urls)
        ours = scrapekit(urls)
    count = len(paths)
    print(f"{count} pages, {totals['bytes'] / count:.0f} bytes and {totals['links'] / count:.0f} links each")
    for name, steps in (("the bare libraries", times), ("scrapekit, what a worker does", ours)):
        print(f"{name}:")
        for step, seconds in steps.items():
            print(f"{seconds / count * 1e6:8.0f} us  {step}")
        print(f"{sum(steps.values()) / count * 1e6:8.0f} us  together")


def bare(urls: list[str]) -> tuple[Counter[str], Counter[str]]:
    """The CPU seconds of each step over all ``urls``, and how many bytes and links there were."""
    tools, pool = Tools(), urllib3.PoolManager(retries=False)
    times: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    clock = time.process_time
    for url in urls:
        began = clock()
        body = pool.request("GET", url).data
        fetched = clock()
        tree = etree.fromstring(body, tools.parser)
        parsed = clock()
        title, headings, hrefs = tools.title(tree), tools.headings(tree), tools.links(tree)
        length = sum(map(len, tools.paragraphs(tree)))
        selected = clock()
        links = dict.fromkeys(p for h in hrefs if (p := h.partition("#")[0]).endswith(".html") and "://" not in p)
        for path in links:
            urljoin(url, path)
        joined = clock()
        json.dumps({"url": url, "title": title[0], "headings": headings, "text_length": length})
        encoded = clock()
        del tree  # freed here, so that its cost is seen
        times["GET, urllib3"] += fetched - began
        times["parse, lxml"] += parsed - fetched
        times["four selectors, compiled XPath"] += selected - parsed
        times["links: filter, make absolute"] += joined - selected
        times["item to JSON"] += encoded - joined
        times["free the tree"] += clock() - encoded
        totals["bytes"] += len(body)
        totals["links"] += len(hrefs)
    return times, totals


def scrapekit(urls: list[str]) -> Counter[str]:
    """The CPU seconds of the same steps with scrapekit's rooms, as its worker uses them."""
    times: Counter[str] = Counter()
    clock, parsers = time.process_time, Parsers()
    with Downloader(workers=1) as downloader:
        for url in urls:
            request = Request(url)
            began = clock()
            reply = downloader.fetch(request, host="127.0.0.1")
            fetched = clock()
            response = Response(url, reply.status, reply.headers, reply.body, request=request, parse=parsers)
            assert response.doc is not None
            parsed = clock()
            item = {
                "url": url,
                "title": response.css("title::text").get(),
                "headings": response.css("h1::text, h2::text").getall(),
                "text_length": sum(map(len, response.css("p::text").getall())),
            }
            hrefs = response.css("a::attr(href)").getall()
            selected = clock()
            paths = dict.fromkeys(p for h in hrefs if (p := h.partition("#")[0]).endswith(".html") and "://" not in p)
            for link in response.follow_all(paths):
                link_of(link)
            linked = clock()
            encode_item(item)
            encoded = clock()
            del response
            times["GET, Downloader"] += fetched - began
            times["parse, response.doc"] += parsed - fetched
            times["four selectors, response.css"] += selected - parsed
            times["links: filter, follow_all, canonical URL, fingerprint"] += linked - selected
            times["item to JSON"] += encoded - linked
            times["free the tree"] += clock() - encoded
    return times


if __name__ == "__main__":
    main()
