"""The spiders that ship, callback by callback over the sample site, without an engine between."""

from __future__ import annotations

import importlib.util
import re
import threading
from collections import deque
from pathlib import Path
from urllib.parse import urljoin

import pytest
from urllib3 import HTTPHeaderDict

from scrapekit.errors import SpiderError
from scrapekit.messages import Request, Response
from scrapekit.parse import Parsers
from scrapekit.testing import Reply, RequestView, SampleSite

SPIDERS = Path(__file__).parents[2] / "spiders"
ORIGIN = "http://127.0.0.1:8000"
PARSERS = Parsers()


def spider(name, **arguments):
    """A new instance of the one spider in ``spiders/NAME.py``."""
    spec = importlib.util.spec_from_file_location(f"shipped_{name}", SPIDERS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name.title())(**arguments)


def by_name(found):
    return sorted(found, key=lambda item: sorted(map(repr, item.items())))


@pytest.fixture(scope="module")
def site():
    return SampleSite(seed=3, books=130, quotes=35)


def crawl(app, shipped):
    """The items and the URLs asked for, as an engine that fetches one page after the other would have them."""
    queue, seen, items = deque(shipped.start()), set(), []
    while queue:
        request = queue.popleft()
        if request.url in seen or not request.url.startswith(ORIGIN) or "/private/" in request.url:
            continue
        seen.add(request.url)
        view = RequestView(
            0.0, "GET", request.url.removeprefix(ORIGIN), {"host": "127.0.0.1:8000"}, b"", 99, threading.Event()
        )
        reply = app(view)
        headers = HTTPHeaderDict(reply.headers)
        if reply.status in {301, 302}:
            queue.append(request.replace(url=urljoin(request.url, headers["location"])))
        elif reply.status == 200:
            response = Response(request.url, 200, headers, reply.body, request=request, parse=PARSERS)
            for made in getattr(shipped, request.callback or "parse")(response):
                if isinstance(made, Request):
                    queue.append(made)
                else:
                    items.append(made if isinstance(made, dict) else made.model_dump())
    return items, seen


def test_books_yields_every_book_once(site):
    items, seen = crawl(site, spider("books", url=f"{ORIGIN}/"))
    assert by_name(items) == by_name(site.expected_books(ORIGIN))
    assert set(items[0]) == {"title", "price", "rating", "stock", "category", "upc", "url"}
    assert not any("/category/" in url for url in seen)


def test_quotes_yields_every_quote(site):
    items, seen = crawl(site, spider("quotes", url=f"{ORIGIN}/quotes/"))
    assert by_name(items) == by_name(site.expected_quotes())
    assert len(seen) == 4


def test_docs_yields_every_html_page_and_fetches_no_file(site):
    items, seen = crawl(site, spider("docs", url=f"{ORIGIN}/"))
    html_pages = {ORIGIN + route.path for route in site._routes.values() if route.kind and route.kind != "private"}
    found = {item["url"] for item in items}
    assert len(items) == len(found)
    assert found <= html_pages
    # Not linked: the first list pages' second addresses, of categories and tags with one page.
    assert all(re.search(r"/books/[^/]+/page-1\.html$|/quotes/tag/\w+/$", url) for url in html_pages - found)
    assert f"{ORIGIN}/media/terms" in seen  # only its media type tells
    assert not any(url.endswith((".pdf", ".css", ".svg")) for url in seen)


PAGES = {
    "/3/tutorial/": b"<title> The\n tutorial </title><h1>A <code>b</code></h1><h2>C</h2><h3>D</h3><p>12<b>34</b></p><p>5</p>"
    b"<a href='more.html#top'>1</a><a href='/3/'>2</a><a href='/3/tutorial/code.ZIP'>3</a><a href='x.tar.gz?v=1'>4</a>"
    b"<a href='HTTP://127.0.0.1:8000/3/tutorial/os.path.html'>5</a><a name='here'>6</a><a href='data?f=a.zip'>7</a>",
    "/3/tutorial/more.html": b"<p>no title",
    "/3/tutorial/os.path.html": b"",
    "/3/tutorial/data?f=a.zip": b"",
}


def test_docs_stays_in_the_folder_of_the_start_url():
    items, seen = crawl(lambda request: Reply(PAGES[request.target]), spider("docs", url=f"{ORIGIN}/3/tutorial/"))
    assert seen == {ORIGIN + path for path in PAGES}
    assert items[:2] == [
        {"url": f"{ORIGIN}/3/tutorial/", "title": "The tutorial", "headings": ["A b", "C"], "text_length": 5},
        {"url": f"{ORIGIN}/3/tutorial/more.html", "title": "", "headings": [], "text_length": 8},
    ]


@pytest.mark.parametrize("start", ["/3/tutorial/", "/3/tutorial/index.html", "/3/tutorial/?x=/y/"])
def test_the_folder_of_docs_is_that_of_the_path(start):
    wanted = spider("docs", url=ORIGIN + start).wanted
    assert wanted.match(f"{ORIGIN}/3/tutorial/a.html")
    assert wanted.match("https://docs.example.org/3/tutorial/a/b")  # which hosts: allowed_domains decides
    assert not wanted.match(f"{ORIGIN}/3/a.html")
    assert not wanted.match(f"{ORIGIN}/3/tutorial/a.pdf")


def test_the_folder_of_docs_may_need_quoting():
    wanted = spider("docs", url=f"{ORIGIN}/döcs (3+)/").wanted
    assert wanted.match(Request(f"{ORIGIN}/döcs (3+)/a.html").url)


def test_docs_without_a_url_says_what_to_do():
    with pytest.raises(SpiderError, match="-a url="):
        spider("docs")


@pytest.mark.parametrize("name", ["quotes", "books", "docs"])
def test_each_has_a_name_and_a_line_that_says_what_it_takes(name):
    shipped = spider(name, url=f"{ORIGIN}/")
    assert shipped.name == name
    first_line = type(shipped).__doc__.splitlines()[0]
    assert first_line.endswith(".")
    assert "-a url=" in first_line


@pytest.mark.parametrize("name", ["quotes", "books"])
def test_the_practice_sites_are_the_default(name):
    assert [request.url for request in spider(name).start()] == [f"https://{name}.toscrape.com/"]
