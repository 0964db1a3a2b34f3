"""The sample site: the same for a seed, and its HTML agrees with the ground truth that whole-crawl tests compare with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from urllib.parse import urljoin

import pytest
import urllib3
from lxml import etree, html

import scrapekit
from scrapekit.testing import RequestView, SampleSite, serve
from scrapekit.testing.samplesite import __main__ as command

ORIGIN = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def site():
    return SampleSite(seed=7, books=130, quotes=35)


def ask(site, target, visit=99, method="GET"):
    """The site's answer, without a server between. The late visit is past the 503s."""
    return site(RequestView(0.0, method, target, {"host": "127.0.0.1:8000"}, b"", visit, threading.Event()))


def fetch(url):
    """Status and body, over a connection that is closed again."""
    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", url)
        return answer.status, answer.data


def header(reply, name):
    return dict(reply.headers)[name]


def document(site, target):
    """The page as a browser reads it: decoded by the header, else by the meta tag."""
    reply = ask(site, target)
    assert reply.status == 200, target
    declared = re.search(r"charset=([\w-]+)", header(reply, "Content-Type") + reply.body[:600].decode("latin-1"))
    return html.document_fromstring(reply.body, parser=html.HTMLParser(encoding=declared[1]))


def follow(site, target):
    """The URL and status at the end of the redirects, and how many there were."""
    url, hops = urljoin(ORIGIN, target), 0
    while (reply := ask(site, url.removeprefix(ORIGIN))).status in {301, 302}:
        url, hops = urljoin(url, header(reply, "Location")), hops + 1
    return url, reply.status, hops


def crawl(site, start, next_link):
    """The documents of a list, with their URLs, by following the "next" links as they are written."""
    url = urljoin(ORIGIN, start)
    while True:
        tree = document(site, url.removeprefix(ORIGIN))
        yield url, tree
        links = tree.xpath(next_link)
        if not links:
            return
        url = urljoin(url, links[0])


def book_of(url, tree):
    """A book as the markup of books.toscrape.com has it."""
    (main,) = tree.find_class("product_main")
    table = dict(zip(tree.xpath("//table//th/text()"), tree.xpath("//table//td/text()"), strict=True))
    rating = main.find_class("star-rating")[0].get("class").split()[1]
    description = tree.xpath("//div[@id='product_description']/following-sibling::p[1]/text()")
    assert len(description[0]) > 100
    assert table["Availability"] == main.xpath("normalize-space(p[@class='instock availability'])")
    return {
        "title": main.findtext("h1"),
        "price": float(re.search(r"[\d.]+", main.xpath("string(p[@class='price_color'])"))[0]),
        "rating": ("One", "Two", "Three", "Four", "Five").index(rating) + 1,
        "stock": int(re.search(r"\d+", table["Availability"])[0]),
        "category": tree.xpath("string(//ul[@class='breadcrumb']/li[3]/a)"),
        "upc": table["UPC"],
        "url": url,
    }


def test_the_same_seed_makes_the_same_site(site):
    again, other = SampleSite(seed=7, books=130, quotes=35), SampleSite(seed=8, books=130, quotes=35)
    assert again.expected_books() == site.expected_books() != other.expected_books()
    assert again.expected_quotes() == site.expected_quotes() != other.expected_quotes()
    targets = ("/", "/catalogue/page-3.html", site.books[5].path, "/quotes/page/2/", *site.moved)
    assert [ask(again, target) for target in targets] == [ask(site, target) for target in targets]


def test_the_default_site_has_a_thousand_books_on_fifty_pages():
    site = SampleSite()
    lists = list(crawl(site, "/", "//li[@class='next']/a/@href"))
    assert [url for url, _ in lists[:2]] == [f"{ORIGIN}/", f"{ORIGIN}/catalogue/page-2.html"]
    assert len(lists) == 50
    assert site.pages["book"] == 1000
    assert site.pages["list"] == 52  # the first one has three addresses, as on books.toscrape.com
    assert len({book.category for book in site.books}) >= 45
    assert len({book.upc for book in site.books}) == len({book.path for book in site.books}) == 1000
    assert len(list(crawl(site, "/quotes/", "//li[@class='next']/a/@href"))) == 10


def test_the_ground_truth_of_books_is_what_the_lists_lead_to(site):
    links = [
        urljoin(url, link)
        for url, tree in crawl(site, "/", "//li[@class='next']/a/@href")
        for link in tree.xpath("//article[@class='product_pod']/h3/a/@href")
    ]
    ends = [follow(site, link.removeprefix(ORIGIN)) for link in links]
    assert Counter(status for _, status, _ in ends) == {200: 130 + 6 + 1, 404: 1}
    assert Counter(hops for _, _, hops in ends) == {0: 132, 1: 5, 2: 1}
    reached = {url for url, status, _ in ends if status == 200} - {ORIGIN + path for path in site.private}
    found = [book_of(url, document(site, url.removeprefix(ORIGIN))) for url in sorted(reached)]
    assert found == sorted(site.expected_books(ORIGIN), key=lambda book: book["url"])


def test_the_url_of_the_ground_truth_may_end_in_a_slash(site):
    assert site.expected_books(f"{ORIGIN}/") == site.expected_books(ORIGIN)
    assert site.expected_books()[0]["url"] == site.books[0].path


def test_the_ground_truth_of_quotes_is_what_the_pages_say(site):
    found = []
    for _, tree in crawl(site, "/quotes/", "//li[@class='next']/a/@href"):
        for quote in tree.find_class("quote"):
            text, author = quote.xpath("string(span[@class='text'])"), quote.xpath("string(.//small[@class='author'])")
            found.append({"text": text, "author": author, "tags": quote.xpath(".//a[@class='tag']/text()")})
    assert found == site.expected_quotes()
    assert all(quote["text"].startswith("“") for quote in found)


def test_the_next_links_of_quotes_are_rooted_and_relative_by_turns(site):
    links = [link for _, tree in crawl(site, "/quotes/", "//li[@class='next']/a/@href")
             for link in tree.xpath("//li[@class='next']/a/@href")]  # fmt: skip
    assert links == ["/quotes/page/2/", "../3/", "/quotes/page/4/"]


def test_authors_and_tags_have_pages(site):
    quote = next(quote for quote in site.quotes if quote.tags)
    url, status, hops = follow(site, quote.author.path)
    assert (url, status, hops) == (f"{ORIGIN}{quote.author.path}/", 200, 1)
    tree = document(site, f"{quote.author.path}/")
    assert tree.xpath("string(//h3[@class='author-title'])") == quote.author.name
    assert tree.xpath("string(//span[@class='author-born-date'])") == quote.author.born
    tagged = [
        text
        for _, tree in crawl(site, f"/quotes/tag/{quote.tags[0]}/page/1/", "//li[@class='next']/a/@href")
        for text in tree.xpath("//span[@class='text']/text()")
    ]
    assert tagged == [other.text for other in site.quotes if quote.tags[0] in other.tags]


def test_every_category_lists_its_books(site):
    """All lists of the side bar together, page by page, hold every book once."""
    tree = document(site, "/")
    listed = []
    for link in tree.xpath("//div[@class='side_categories']//ul//ul//a/@href"):
        for url, shelf in crawl(site, link if link.startswith("/") else f"/{link}", "//li[@class='next']/a/@href"):
            name = shelf.findtext(".//h1")
            for book in shelf.xpath("//article[@class='product_pod']/h3/a/@href"):
                end, status, _ = follow(site, urljoin(url, book).removeprefix(ORIGIN))
                assert status == 200
                listed.append((end, name))
    assert Counter(listed) == Counter((book["url"], book["category"]) for book in site.expected_books(ORIGIN))


def test_every_internal_link_leads_to_a_page_except_the_one_that_is_gone(site):
    queue, seen, gone = [f"{ORIGIN}/"], {f"{ORIGIN}/"}, set()
    while queue:
        url, status, _ = follow(site, queue.pop().removeprefix(ORIGIN))
        if status == 404:
            gone.add(url)
        elif header(ask(site, url.removeprefix(ORIGIN)), "Content-Type").startswith("text/html"):
            for link in document(site, url.removeprefix(ORIGIN)).xpath("//a/@href | //img/@src | //link/@href"):
                target = urljoin(url, link).partition("#")[0]
                if target.startswith(ORIGIN) and target not in seen:
                    seen.add(target)
                    queue.append(target)
    assert gone == {ORIGIN + site.missing}
    kinds = site.pages
    assert sum(kinds.values()) == len([route for route in site._routes.values() if route.kind])
    unlinked = {route.path for route in site._routes.values() if route.kind} - {
        url.removeprefix(ORIGIN) for url in seen
    }
    # As on books.toscrape.com, first list pages have an address that only the "previous" link of the second tells.
    assert all(re.search(r"/page-1\.html$|^/quotes/tag/\w+/$|/quotes/author/", path) for path in unlinked)


def test_links_are_relative_rooted_and_absolute(site):
    links = document(site, "/catalogue/page-2.html").xpath("//article[@class='product_pod']/h3/a/@href")
    links += document(site, "/catalogue/page-4.html").xpath("//article[@class='product_pod']/h3/a/@href")
    kinds = Counter("absolute" if "://" in link else "rooted" if link.startswith("/") else "relative" for link in links)
    assert set(kinds) == {"absolute", "rooted", "relative"}
    assert kinds["relative"] > kinds["rooted"]


def test_absolute_links_have_the_host_that_the_client_used(site):
    with serve(site, hosts=("127.0.0.1", "127.0.0.2")) as server, urllib3.PoolManager() as pool:
        for host in ("127.0.0.1", "127.0.0.2", "localhost"):
            origin = f"http://{host}:{server.port}"
            sitemap = etree.fromstring(pool.request("GET", f"{origin}/sitemap.xml").data)
            locations = sitemap.xpath("//*[local-name()='loc']/text()")
            assert locations == [f"{origin}/", *(origin + book.path for book in site.books)]
            robots = pool.request("GET", f"{origin}/robots.txt").data.decode()
            assert f"Sitemap: {origin}/sitemap.xml\n" in robots


def test_robots_forbids_a_path_that_is_linked(site):
    assert b"User-agent: *\nDisallow: /private/\n" in ask(site, "/robots.txt").body
    assert all(path.startswith("/private/") for path in site.private)
    tree = document(site, "/")
    assert "/private/" in tree.xpath("//footer//a/@href")
    assert site.private[1] in tree.xpath("//article[@class='product_pod']/h3/a/@href")
    assert site.private[1] in document(site, "/private/").xpath("//a/@href")
    assert document(site, site.private[1]).find_class("product_main")


def test_some_paths_answer_503_at_first_on_every_server(site):
    assert sorted(site.flaky.values()) == [1, 1, 2]
    assert "/catalogue/page-3.html" in site.flaky
    for _ in range(2):
        with serve(site) as server, urllib3.PoolManager(retries=False) as pool:
            for path, failures in site.flaky.items():
                answers = [pool.request("GET", server.url + path, retries=False) for _ in range(failures + 2)]
                assert [answer.status for answer in answers] == [503] * failures + [200] * 2
                assert [answer.headers.get("Retry-After") for answer in answers] == ["1"] * failures + [None] * 2


def test_retry_after_is_an_argument():
    site = SampleSite(books=50, retry_after=0)
    assert header(ask(site, next(iter(site.flaky)), visit=1), "Retry-After") == "0"


def test_moved_books_are_linked_by_old_and_new_path(site):
    assert sorted(status for status, _ in site.moved.values()) == [301, 301, 301, 301, 302, 302, 302]
    linked = {urljoin(ORIGIN, link) for link in document(site, "/").xpath("//h3/a/@href")}
    ends = [follow(site, path)[0] for path in site.moved]
    assert len(set(ends)) == 6
    assert linked >= set(ends)
    absolute = {header(ask(site, path), "Location").startswith("http://") for path in site.moved}
    assert absolute == {True, False}


@pytest.mark.parametrize("encoding", ["iso-8859-1", "shift_jis"])
def test_one_page_each_is_in_an_old_encoding(site, encoding):
    (book,) = (book for book in site.books if book.encoding == encoding)
    reply = ask(site, book.path)
    with pytest.raises(UnicodeDecodeError):
        reply.body.decode("utf-8")
    assert book.title in reply.body.decode(encoding)
    in_header = encoding in header(reply, "Content-Type")
    in_meta = f"charset={encoding}".encode() in reply.body
    assert (in_header, in_meta) == ((True, False) if encoding == "iso-8859-1" else (False, True))


def test_what_is_not_html_says_so(site):
    assert header(ask(site, "/media/catalogue.pdf"), "Content-Type") == "application/pdf"
    assert header(ask(site, "/media/terms"), "Content-Type") == "text/plain; charset=utf-8"


def test_other_methods_are_refused(site):
    assert ask(site, "/", method="POST").status == 405
    assert ask(site, "/", method="HEAD").status == 200


def test_a_page_is_made_once(site):
    assert ask(site, "/") is ask(site, "/")


@pytest.mark.parametrize("books", [1, 2, 3, 21])
def test_small_sites_are_whole(books):
    site = SampleSite(books=books, quotes=1)
    assert len(site.expected_books()) == books
    paths = [follow(site, link)[1] for link in document(site, "/").xpath("//h3/a/@href")]
    assert Counter(paths)[404] == 1
    assert ask(site, site.private[1]).status == 200


@pytest.mark.parametrize("sizes", [{"books": 0}, {"quotes": 0}])
def test_an_empty_site_is_refused(sizes):
    with pytest.raises(ValueError, match="needs a book and a quote"):
        SampleSite(**sizes)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_url_and_serves_until_it_is_stopped(stop):
    arguments = [sys.executable, "-W", "error", "-m", "scrapekit.testing.samplesite", "--books", "5"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        status, _ = fetch(url)
        process.send_signal(stop)
        rest, complaints = process.communicate(timeout=30)
    assert status == 200
    assert (process.returncode, rest) == (0, "")
    assert complaints == "sample site: 1 requests over 1 connections, at most 1 open at once\n"


def test_the_command_takes_its_options_and_gives_the_signals_back(monkeypatch, capsys):
    read, write = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    main_thread = threading.main_thread().ident
    seen = []

    def client():
        with os.fdopen(read, encoding="utf-8") as lines:
            url = lines.readline().strip()
            seen.append(len(html.document_fromstring(fetch(url)[1]).find_class("product_pod")))
        signal.pthread_kill(main_thread, signal.SIGTERM)

    thread = threading.Thread(target=client)
    thread.start()
    with os.fdopen(write, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert command.main(["--books", "2", "--seed", "3", "--latency", "0.001", "--retry-after", "0"]) == 0
    thread.join()
    assert seen == [4]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert "sample site: 1 requests" in capsys.readouterr().err


def test_whoever_sends_the_login_form_back_may_see_the_account():
    class Visit(scrapekit.Spider):
        url = ""

        def start(self):
            yield scrapekit.Request(f"{self.url}/quotes/account")

        def parse(self, response):
            form = scrapekit.Form.from_response(response)
            yield form.submit({"username": "Zoë", "password": "x"}, self.account, dont_filter=True)
            yield response.follow(
                "/quotes/login", self.account, method="POST", body="csrf_token=wrong", errback="denied"
            )

        def denied(self, error):
            yield {"denied": error.response.status}

        def account(self, response):
            yield {"user": response.css("p.user::text").get(), "url": response.url}
            yield response.follow("/quotes/logout", self.out)

        def out(self, response):
            yield {"cookies": sorted(response.cookies), "url": response.url}

    with serve(SampleSite(books=1, quotes=1)) as server:
        items = list(scrapekit.crawl(Visit, url=server.url))
    assert {"denied": 403} in items
    assert {"user": "Zoë", "url": f"{server.url}/quotes/account"} in items
    forged = RequestView(0, "GET", "/quotes/account", {"cookie": "session=zz.1"}, b"", 1, threading.Event())
    assert SampleSite(books=1, quotes=1)(forged).status == 302
