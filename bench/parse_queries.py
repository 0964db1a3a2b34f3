"""What selectors cost: four queries on one page by scrapekit, by compiled XPath called by hand, and by parsel.

    python bench/parse_queries.py

Prints microseconds a page, and how many times the hand-written XPath that is. Parsel is compared if it is installed.
The page is one of Debian's python3-doc if that is installed, else a generated one. (Not called selectors.py: a script's
folder is searched first, and the standard library has a module of that name.)
"""

from __future__ import annotations

import importlib.util
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lxml import etree
from urllib3 import HTTPHeaderDict

from scrapekit.messages import Request, Response
from scrapekit.parse import HtmlDocument, Parsers

CSS = ("title::text", "h1::text, h2::text", "p::text", "a::attr(href)")
XPATH = ("//title/text()", "//h1/text() | //h2/text()", "//p/text()", "//a/@href")


def page(name: str = "library/shelve.html") -> bytes:
    """A page of the documentation, or one like it."""
    for path in sorted(Path("/usr/share/doc").glob(f"python3*/html/{name}")):
        return path.read_bytes()
    body = "".join(
        f'<section id="s{n}"><h2>Section {n}</h2><p>Some <em>text</em> of <a class="r" href="/p{n}.html">page {n}</a>, '
        f'<a href="#s{n}">linked</a>.</p><ul><li><p>One</p></li><li><p>Two</p></li></ul></section>'
        for n in range(120)
    )
    return f"<!DOCTYPE html><html><head><title>Page</title></head><body><h1>Page</h1>{body}</body></html>".encode()


def microseconds(work: Callable[[], Any], times: int = 200) -> float:
    """Of one call, in the best of 15 rounds: what the machine does besides only adds."""
    return min(timeit.repeat(work, number=times, repeat=15)) / times * 1e6


def main() -> None:
    body = page()
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True)
    root = etree.fromstring(body, parser)
    compiled = [etree.XPath(query, smart_strings=False) for query in XPATH]
    request, parsers, headers = Request("http://localhost/"), Parsers(), HTTPHeaderDict({"Content-Type": "text/html"})

    def response() -> Response:
        return Response(request.url, 200, headers, body, request=request, parse=parsers)

    def queried(css: Callable[[str], Any]) -> list[Any]:
        return [css(CSS[0]).get(), *(css(query).getall() for query in CSS[1:])]

    def by_hand() -> list[Any]:
        return [(compiled[0](root) or [None])[0], *(xpath(root) for xpath in compiled[1:])]

    ours = response()
    assert queried(ours.css) == by_hand()
    parsing = {
        "lxml by hand": microseconds(lambda: etree.fromstring(body, parser), 20),
        "HtmlDocument": microseconds(lambda: HtmlDocument(body), 20),
        "response.doc": microseconds(lambda: response().doc, 20),
    }
    queries = {"XPath by hand": microseconds(by_hand), "response.css": microseconds(lambda: queried(ours.css))}
    if importlib.util.find_spec("parsel"):
        from parsel import Selector

        theirs = Selector(body=body, type="html")
        assert queried(theirs.css) == by_hand()
        queries["parsel"] = microseconds(lambda: queried(theirs.css))
    print(f"page: {len(body):,} bytes, {sum(1 for _ in root.iter()):,} nodes, {len(compiled[3](root))} links")
    for title, figures in (("parsing", parsing), ("the four queries", queries)):
        first = next(iter(figures.values()))
        for name, figure in figures.items():
            print(f"{title:18}{name:16}{figure:9.1f} us {figure / first:6.2f} x")
    print(f"{'links':18}{'doc.hrefs':16}{microseconds(lambda: ours.doc.hrefs('a')):9.1f} us")


if __name__ == "__main__":
    main()
