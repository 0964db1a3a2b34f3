"""Sitemaps, through real crawls."""

import gzip
import re
from datetime import UTC, datetime

import pytest

import scrapekit
from scrapekit.errors import SpiderError
from scrapekit.spiders import SitemapSpider, route
from scrapekit.spiders.sitemap import _span
from scrapekit.testing import Reply

NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml"'


def urlset(*entries):
    return f"<?xml version='1.0'?><urlset {NS}>{''.join(map(entry, entries))}</urlset>"


def index(*entries):
    body = "".join(map(entry, entries)).replace("<url>", "<sitemap>").replace("</url>", "</sitemap>")
    return f"<?xml version='1.0'?><sitemapindex {NS}>{body}</sitemapindex>"


def entry(given):
    path, lastmod, *more = given if isinstance(given, tuple) else (given, None)
    changed = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    return f"<url><loc>{{url}}{path}</loc>{changed}{''.join(more)}</url>"


class Everything(SitemapSpider):
    def parse(self, response):
        yield {"path": "/" + response.url.split("/", 3)[3]}


def paths(crawled):
    return sorted(item["path"] for item in crawled.items)


@pytest.fixture
def pages(site):
    site.pages = {f"/{kind}/{number}": "<p>" for kind in ("product", "blog", "other") for number in (1, 2, 3)}
    return site.pages


def test_robots_leads_to_the_sitemaps_and_an_index_to_others_gzipped_or_not(site, pages, crawl):
    pages["/robots.txt"] = Reply(b"User-agent: *\nSitemap: /maps/index.xml\nSitemap: /maps/text.txt\n")
    pages["/maps/index.xml"] = index("/maps/a.xml", "/maps/b.xml.gz")
    pages["/maps/a.xml"] = urlset("/product/1", "/product/2", "/product/1")
    body = urlset("/blog/1", "/blog/2").replace("{url}", site.url)
    pages["/maps/b.xml.gz"] = gzip.compress(body.encode())
    pages["/maps/text.txt"] = b"{url}/other/1\r\n{url}/other/2\n"
    expected = ["/blog/1", "/blog/2", "/other/1", "/other/2", "/product/1", "/product/2"]
    for start in ("/", "", "/robots.txt"):
        crawled = crawl(Everything, sitemap_urls=site.url + start)
        assert paths(crawled) == expected
        assert set(crawled.hits.values()) == {1}


@pytest.mark.parametrize("robots", [None, "", "User-agent: *\nDisallow:"], ids=["missing", "empty", "silent"])
def test_a_site_that_names_no_sitemap_has_it_where_most_have(site, pages, crawl, robots):
    if robots is not None:
        pages["/robots.txt"] = Reply(robots.encode())
    pages["/sitemap.xml"] = urlset("/product/1")
    assert paths(crawl(Everything, sitemap_urls=[site.url])) == ["/product/1"]


def test_a_sitemap_may_be_a_query_of_the_front_page_and_its_pages_stay_in_its_session(site, pages, crawl):
    class Visitor(SitemapSpider):
        def start(self):
            for request in super().start():
                yield request.replace(session="ann")

        def parse(self, response):
            yield {"path": response.url.rpartition("/")[2], "session": response.request.session}

    pages["/?sitemap=index"] = index("/maps/a.xml")
    pages["/maps/a.xml"] = urlset("/product/1")
    pages["/robots.txt"] = Reply(b"Sitemap: /maps/a.xml")
    for start in ("/?sitemap=index", "/"):
        assert crawl(Visitor, sitemap_urls=site.url + start).items == [{"path": "1", "session": "ann"}]


def test_pages_go_where_they_are_routed_to_and_others_are_not_asked_for(site, pages, crawl):
    class Routed(SitemapSpider):
        @route("/product/")
        def product(self, response):
            yield {"path": f"product {response.url[-1]}"}

        @route("/blog/")
        def post(self, response):
            yield {"path": f"post {response.url[-1]}"}

    class Others(Routed):
        def parse_other(self, response):
            return {"path": f"other {response.url[-1]}"}

    pages["/s.xml"] = urlset("/product/1", "/blog/2", "/other/3")
    crawled = crawl(Routed, sitemap_urls=[f"{site.url}/s.xml"])
    assert paths(crawled) == ["post 2", "product 1"]
    assert "/other/3" not in crawled.hits
    assert paths(crawl(Others, sitemap_urls=[f"{site.url}/s.xml"])) == ["other 3", "post 2", "product 1"]


def test_what_did_not_change_since_is_left_out(site, pages, crawl):
    pages["/i.xml"] = index(("/old.xml", "2020-01-01"), ("/new.xml", "2024-06-01"), "/s.xml")
    pages["/old.xml"] = urlset(("/product/1", "2024-06-01"))
    pages["/new.xml"] = urlset(("/product/2", "2024-05-31"), ("/product/3", "2024-06-01T00:00:00Z"))
    pages["/s.xml"] = urlset(("/blog/1", "2024"), ("/blog/2", "2024-05"), ("/blog/3", "soon"), "/other/1")
    crawled = crawl(Everything, sitemap_urls=f"{site.url}/i.xml", since="2024-06-01")
    assert paths(crawled) == ["/blog/1", "/blog/3", "/other/1", "/product/3"]
    assert "/old.xml" not in crawled.hits


def test_translations_are_asked_for_where_one_wants_them(site, pages, crawl):
    links = '<xhtml:link rel="alternate" hreflang="de" href="/blog/2"/><xhtml:link rel="alternate" href="/product/1"/>'
    pages["/s.xml"] = urlset(("/product/1", None, links))
    for no in (False, "false"):
        assert paths(crawl(Everything, sitemap_urls=f"{site.url}/s.xml", sitemap_alternates=no)) == ["/product/1"]
    for yes in (True, "true"):
        found = paths(crawl(Everything, sitemap_urls=f"{site.url}/s.xml", sitemap_alternates=yes))
        assert found == ["/blog/2", "/product/1"]


def test_some_sitemaps_of_an_index_and_some_entries(site, pages, crawl):
    class Chosen(Everything):
        sitemap_follow = ["/products-", "/i2"]

        def sitemap_filter(self, entries):
            return [entry for entry in entries if not entry.loc.endswith("/2")]

        def page_request(self, url, entry):
            return scrapekit.Request(f"{url}?since={entry.lastmod}") if "/3" not in url else None

    pages["/i.xml"] = index("/products-1.xml", "/blog-1.xml", "/i2.xml")
    pages["/i2.xml"] = index("/i.xml")
    pages["/products-1.xml"] = urlset(("/product/1", "2024"), "/product/2", "/product/3")
    pages["/product/1?since=2024"] = "<p>"
    crawled = crawl(Chosen, sitemap_urls=[f"{site.url}/i.xml"])
    assert paths(crawled) == ["/product/1?since=2024"]
    assert crawled.hits == dict.fromkeys(["/i.xml", "/i2.xml", "/products-1.xml", "/product/1?since=2024"], 1)


def test_an_index_of_indexes_without_end_ends(site, crawl):
    for number in range(9):
        site.pages[f"/{number}.xml"] = index(f"/{number + 1}.xml")
    assert list(crawl(Everything, sitemap_urls=[f"{site.url}/0.xml"]).hits) == [f"/{number}.xml" for number in range(4)]


def test_what_is_no_sitemap_is_flagged(site, pages, crawl):
    pages["/s.xml"] = "<html>Sorry"
    assert crawl(Everything, sitemap_urls=[f"{site.url}/s.xml"]).report.stats.flags == {"not_a_sitemap": 1}


def test_a_sitemap_that_lies_in_a_file_is_read_from_there(site, pages, crawl):
    many = [f"/product/{number}" for number in range(3000)]
    pages["/s.xml"] = urlset(*many[:-1], "/product/1", "/blog/1")

    class Few(Everything):
        def page_request(self, url, entry):
            return super().page_request(url, entry) if url.endswith(("/1", "/2")) else None

    settings = {"robots": {"obey": False}, "http": {"spool_above": "1KiB", "max_body": "1MiB"}}
    assert paths(crawl(Few, settings, sitemap_urls=[f"{site.url}/s.xml"])) == ["/blog/1", "/product/1", "/product/2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "spider 'everything' has no sitemap_urls"),
        ({"since": "yesterday"}, "'yesterday' is not a date such as 2024-05-01"),
        ({"sitemap_follow": "("}, "sitemap_follow: '(' is not a regular expression"),
    ],
    ids=["none", "date", "pattern"],
)
def test_what_can_not_start_says_why_in_one_line(arguments, message):
    with pytest.raises(SpiderError, match=re.escape(message)):
        scrapekit.run(Everything, **arguments)


def test_dates_are_as_long_as_they_are_written():
    def moment(*parts):
        return datetime(*parts, tzinfo=UTC)

    assert _span("2024") == (moment(2024, 1, 1), moment(2025, 1, 1))
    assert _span("2024-12") == (moment(2024, 12, 1), moment(2025, 1, 1))
    assert _span("2024-02") == (moment(2024, 2, 1), moment(2024, 3, 1))
    assert _span(" 2024-02-29 ") == (moment(2024, 2, 29), moment(2024, 3, 1))
    assert _span("2024-02-29T01:00:00+01:00")[0] == moment(2024, 2, 29)
    assert _span("2024-02-29T01:00:00")[0] == moment(2024, 2, 29, 1)
    for wrong in ("", "2024-13", "9999", "2024-02-30", "9999-12-31"):
        with pytest.raises(SpiderError):
            _span(wrong)
