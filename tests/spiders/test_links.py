"""Which links a LinkExtractor gives."""

import re

import pytest

import scrapekit
from scrapekit.errors import SpiderError
from scrapekit.spiders import FoundLink, LinkExtractor
from scrapekit.testing import Reply, response

URL = "https://www.ex.com/shop/"
PAGE = """<html><body>
<nav><a href="/">Home</a> <a href="/about#team">About  <b>us</b></a></nav>
<div id="list"><a href="p/1" rel="nofollow">One</a><a href="p/2">Two</a><a href="p/1">Again</a>
<a href="https://cdn.ex.com/manual.PDF?x=/a">Manual</a><a href="https://other.test/">Other</a>
<a href="mailto:a@ex.com">Mail</a><a href="http://[bad">Bad</a><a name="top">None</a></div>
<map><area href="/area"></map><link href="/style.css"><img src="/cover.jpg" data-full="/full.html">
</body></html>"""


def urls(extractor, page=PAGE, **options):
    return [link.url.replace("https://www.ex.com", "") for link in extractor.links(response(URL, page, **options))]


def test_all_links_that_can_lead_to_pages_are_given_once_in_the_order_of_the_page():
    expected = ["/", "/about", "/shop/p/1", "/shop/p/2", "https://other.test/", "/area"]
    assert urls(LinkExtractor()) == expected
    assert urls(LinkExtractor(unique=False)) == [*expected[:4], "/shop/p/1", *expected[4:]]


def test_a_link_says_what_it_is():
    links = LinkExtractor().links(response(URL, PAGE))
    assert links[1] == FoundLink("https://www.ex.com/about", "About us", False, "team")
    assert links[2] == FoundLink("https://www.ex.com/shop/p/1", "One", False, "")  # "Again" is endorsed
    every = LinkExtractor(unique=False).links(response(URL, PAGE))
    assert [link.nofollow for link in every] == [False, False, True, False, False, False, False]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"allow": r"/p/\d"}, ["/shop/p/1", "/shop/p/2"]),
        ({"allow": [re.compile("/P/1", re.IGNORECASE), "about$"]}, ["/about", "/shop/p/1"]),
        ({"allow": "/p/", "deny": "/1$"}, ["/shop/p/2"]),
        ({"allow_domains": "other.test"}, ["https://other.test/"]),
        ({"allow_domains": ["*.Ex.com"], "deny_extensions": ()}, [
            "/", "/about", "/shop/p/1", "/shop/p/2", "https://cdn.ex.com/manual.PDF?x=/a", "/area"]),
        ({"deny_domains": ["ex.com"]}, ["https://other.test/"]),
        ({"deny_extensions": [".pdf"], "allow_domains": "cdn.ex.com"}, []),
        ({"deny_extensions": "pdf", "allow_domains": "cdn.ex.com"}, []),
        ({"restrict_css": "nav"}, ["/", "/about"]),
        ({"restrict_css": ["nav, body, #list", "nav::text"], "allow": "[st]/p/"}, []),
        ({"restrict_css": ["nav", "body"], "allow": "about|/1$"}, ["/about", "/shop/p/1"]),
        ({"restrict_css": "nav", "restrict_xpath": ["//map", "//nav"]}, ["/", "/about", "/area"]),
        ({"restrict_css": "nav::text"}, []),
        ({"restrict_text": "^(Two|About us)$"}, ["/about", "/shop/p/2"]),
        ({"nofollow": False, "allow": "/p/"}, ["/shop/p/2", "/shop/p/1"]),
        ({"tags": "area"}, ["/area"]),
        ({"tags": ["img"], "attrs": ["src", "data-full"]}, ["/full.html"]),
        ({"tags": "*", "attrs": ("href", "src"), "deny_extensions": ["pdf"], "allow": r"\.\w+$"}, [
            "/style.css", "/cover.jpg"]),
        ({"process_value": lambda value: value.removeprefix("p/") if value[0] == "p" else None}, [
            "/shop/1", "/shop/2"]),
    ],
    ids=range(19),
)  # fmt: skip
def test_each_option_narrows_or_widens_what_is_given(options, expected):
    assert urls(LinkExtractor(**options)) == expected


def test_what_has_no_links_gives_none_and_is_not_parsed():
    assert urls(LinkExtractor(), b"{broken", headers={"Content-Type": "application/json"}) == []
    assert urls(LinkExtractor(), b"", headers={"Content-Type": "text/html"}) == []
    assert urls(LinkExtractor(), b"plain text", headers={}) == []


def test_base_href_counts():
    assert urls(LinkExtractor(), '<base href="/deep/"><a href="x">') == ["/deep/x"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"allow": "("}, "allow: '(' is not a regular expression"),
        ({"deny": [1]}, "deny: [1] is not a regular expression"),
        ({"allow_domains": "https://ex.com/"}, "is a URL: write the domain only"),
        ({"restrict_css": "a["}, "restrict_css: 'a[' is not a selector: Expected"),
        ({"restrict_xpath": ["//a", "//a["]}, "restrict_xpath: '//a[' is not a selector"),
        ({"restrict_css": 5}, "restrict_css must be one or a list of them, not 5"),
        ({"tags": "a b"}, "tags must be a name or a list of names, not 'a b'"),
        ({"attrs": ()}, "attrs must be a name or a list of names, not ()"),
    ],
    ids=["pattern", "type", "domain", "css", "xpath", "number", "tags", "attrs"],
)
def test_what_can_not_work_is_refused_where_it_is_made(options, message):
    with pytest.raises(SpiderError, match=re.escape(message)):
        LinkExtractor(**options)


def test_extensions_may_have_several_parts():
    page = '<a href="/a.tar.gz?x=.html">A</a><a href="/b.gz">B</a><a href="/tar.gz/">C</a>'
    assert urls(LinkExtractor(deny_extensions=["tar.gz"]), page) == ["/b.gz", "/tar.gz/"]


def test_a_text_is_what_is_within_the_link():
    links = LinkExtractor().links(response(URL, "<p><a href=/>One <!-- no --> <b>t<i>w</i>o</b>\n three</a> no</p>"))
    assert [link.text for link in links] == ["One two three"]


def test_a_page_of_links_that_are_never_closed_costs_no_more_than_it_has():
    # Each link has all the rest of the page in it, and each part all other parts.
    page = "".join(f"<a href={n}><div>" for n in range(300)) + "<p>text " * 30_000 + '<a href="/end">end</a>'
    links = LinkExtractor(restrict_css="div, p").links(response(URL, page))
    assert [len(links), links[-1].text, max(len(link.text) for link in links) <= 1000] == [300, "end", True]


def test_it_says_what_it_allows():
    assert repr(LinkExtractor("/p/")) == "<LinkExtractor /p/>"
    assert repr(LinkExtractor()) == "<LinkExtractor of all links>"


class Campaigns(scrapekit.Spider):
    def start(self):
        yield scrapekit.Request(f"{self.url}/?utm_source=start")

    def parse(self, response):
        yield {"url": response.url.removeprefix(self.url)}
        yield from response.follow_all("a")


def test_tracking_parameters_make_no_other_page_where_the_setting_says_so(site, crawl):
    queries = ("", "?utm_source=b", "?fbclid=1&utm_medium=c", "?page=2", "?page=2&gclid=2")
    site.pages = {
        "/?utm_source=start": "<a href='/'></a>" + "".join(f'<a href="/p{query}"></a>' for query in queries),
        **{f"/p{query}": "<p>" for query in queries},
        "/": "<p>",
        # A site that adds its own, and never serves the page without: the redirect is followed all the same.
        "/p": Reply(status=302, headers=(("Location", "/p?utm_campaign=own"),)),
        "/p?utm_campaign=own": "<p>",
    }
    ignore = {"robots": {"obey": False}, "crawl": {"ignore_parameters": ["utm_*", "gclid", "fbclid"]}}
    assert sorted(item["url"] for item in crawl(Campaigns, ignore, url=site.url).items) == [
        "/?utm_source=start", "/p?page=2", "/p?utm_campaign=own"]  # fmt: skip
    assert len(crawl(Campaigns, url=site.url).items) == 7
