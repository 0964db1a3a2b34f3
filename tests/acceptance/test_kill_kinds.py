"""kill -9 in the middle of a sitemap and of a list, then ``--resume``, by the real command: nothing is missing or doubled.

The spiders are those of the docs in all that matters: routes on the pages of a sitemap, URLs from a file.
"""

from __future__ import annotations

import json
import signal
from collections import Counter

import pytest
from harness import logged_site

from scrapekit.testing import Reply, SampleSite, serve

BOOKS = 120
# See test_kill.py for the first two; the third makes the crawl last for several commits, however busy the machine is.
SETTINGS = ("-s", "crawl.quarantine_after=100", "-s", "retry.backoff.initial=0.01", "-s", "throttle.maxsize=2")
MAPS = '''
from scrapekit import SitemapSpider, route

class Maps(SitemapSpider):
    """The books that a sitemap names."""

    @route("/catalogue/")
    def parse_book(self, response):
        yield {"url": response.url, "title": response.css("h1::text").get()}
'''


@pytest.fixture
def site(project, tmp_path):
    (project / "spiders" / "maps.py").write_text(MAPS)
    with logged_site(tmp_path, "--books", str(BOOKS), "--latency", "0.01") as site:
        yield site


def paths(site, output):
    return Counter(
        json.loads(line)["url"].removeprefix(site.url.rstrip("/")) for line in output.read_bytes().splitlines()
    )


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_a_sitemap_crawl_that_is_killed_over_and_over_gives_each_page_once(project, shell, site, fleet):
    output = project / "maps.jsonl"
    arguments = ["crawl", "maps", "-a", f"sitemap_urls={site.url}", "-O", output, "--fleet", fleet, *SETTINGS]
    # The first commits are those of robots.txt and of the sitemap; the later ones fall between its pages.
    points = ("before COMMIT:3", "after COMMIT:3", "mid-lease:2", "torn append:1", "before COMMIT:4", "after append:2")
    assert shell.die_and_resume(arguments, points) >= 3
    assert paths(site, output) == Counter(book.path for book in SampleSite(books=BOOKS).books)


def test_a_sitemap_that_was_read_is_not_read_again(project, shell, site):
    output = project / "maps.jsonl"
    arguments = ["crawl", "maps", "-a", f"sitemap_urls={site.url}sitemap.xml", "-O", output, *SETTINGS]
    killed = shell.die_at("after append:3", *arguments)
    assert killed.returncode == -signal.SIGKILL, (killed.stdout, killed.stderr)
    assert 0 < len(output.read_bytes().splitlines()) < BOOKS  # in the middle of its pages
    assert shell.run("crawl", "maps", "--resume").returncode == 0
    assert paths(site, output) == Counter(book.path for book in SampleSite(books=BOOKS).books)
    assert site.targets.count("/sitemap.xml") == 1


@pytest.fixture
def urls(project, site):
    file = project / "urls.txt"
    file.write_text("".join(f"{site.url.rstrip('/')}{book.path}\n" for book in SampleSite(books=BOOKS).books))
    return file


def test_a_list_of_urls_that_is_killed_goes_on_where_it_was(project, shell, site, urls):
    output = project / "urls.jsonl"
    arguments = ["crawl", "urls", "-a", "file=urls.txt", "-O", output, *SETTINGS]
    assert shell.die_and_resume(arguments, ("after append:1", "before COMMIT:3", "torn append:2")) >= 2
    assert paths(site, output) == Counter(book.path for book in SampleSite(books=BOOKS).books)


def test_a_list_from_standard_input_that_is_not_there_any_more_is_no_end(project, shell, site, urls):
    output = project / "urls.jsonl"
    with urls.open("a") as lines:  # more than are taken ahead
        lines.writelines(f"{site.url}gone?n={number}\n" for number in range(5000))
    # A worker that always has something to do, or the start would be asked further ahead.
    arguments = ["crawl", "urls", "-a", "file=-", "-O", output, "--workers", "1", *SETTINGS]
    with urls.open("rb") as lines:
        killed = shell.die_at("after append:1", *arguments, stdin=lines)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = shell.run("crawl", "urls", "--resume")  # its standard input is empty
    assert "start() ended after 0 requests" in done.stderr
    assert done.returncode == 1


SHOP = '''
from scrapekit import CrawlSpider, Request, Rule

class Shop(CrawlSpider):
    """Variants of products, each of which names the product's own page as its canonical one."""

    rules = [Rule("/p/", "product"), Rule("/list/")]
    obeys = ["canonical"]

    def start(self):
        yield Request(f"{self.url}/list/0")

    def product(self, response):
        yield {"url": response.url}
'''


def variants(view):
    """40 products in 5 variants each, on 40 lists that name the next one and variants of five products."""
    if view.path.startswith("/list/"):
        number = int(view.path.removeprefix("/list/"))
        links = [f"/list/{number + 1}"] * (number < 39)
        links += [f"/p/{(number + n) % 40}?color={n}" for n in range(5)]
        text = "".join(f'<a href="{link}">x</a>' for link in links)
    else:
        text = f'<link rel="canonical" href="{view.path}">'
    return Reply(text.encode(), 404 if view.path == "/robots.txt" else 200)


def test_canonical_pages_are_fetched_once_and_taken_once_across_kills(project, shell):
    (project / "spiders" / "shop.py").write_text(SHOP)
    output = project / "shop.jsonl"
    with serve(variants, latency=0.01) as server:
        arguments = ["crawl", "shop", "-a", f"url={server.url}", "-O", output, *SETTINGS]
        points = ("before COMMIT:4", "after COMMIT:5", "torn append:3", "after append:2")
        assert shell.die_and_resume(arguments, points) >= 2
    found = Counter(json.loads(line)["url"].removeprefix(server.url) for line in output.read_bytes().splitlines())
    assert found == {f"/p/{number}": 1 for number in range(40)}
