"""Every parser of ours that reads what servers send, on hostile bytes: small ones of all kinds, and large ones.

A large input is a fragment a hundred thousand times: what is quadratic in it runs into the guard of the suite.
"""

from __future__ import annotations

import contextlib
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapekit.errors import BadRedirect, RequestInvalid
from scrapekit.messages import Request, Response
from scrapekit.parse import HtmlDocument, Parsers, XmlDocument
from scrapekit.spiders.sitemaps import read_sitemap
from scrapekit.web.cookiejar import CookieJar
from scrapekit.web.cookies import parse_set_cookie
from scrapekit.web.dates import parse_date
from scrapekit.web.encodings import decode, detect
from scrapekit.web.headers import content_type, retry_after
from scrapekit.web.redirects import follow, headers_after
from scrapekit.web.robots import parse as parse_robots
from scrapekit.web.urls import address, fingerprint, join, origin

URL = "https://www.example.co.uk/a/b?c"
NOW = 1.6e9


def cookies(text):
    jar = CookieJar()
    parse_set_cookie(text, URL, NOW)
    jar.set(text, URL, NOW)
    jar.header_for(URL, NOW)
    again = CookieJar()
    again.load((session, saved) for session, _, saved in jar.changes() if saved is not None)


def redirect(text):
    try:
        hop = follow("POST", URL, 302, text)
    except BadRedirect:
        return
    headers_after({"Authorization": "x"}, URL, hop.url, body_kept=False)


def links(text):
    with contextlib.suppress(RequestInvalid):
        found = address(text)
        assert address(found.url) == found
        assert origin(text).startswith("http")
        fingerprint("POST", text, b"x")
    for found in (join(URL, text), join(text, "x"), join(text, text)):
        assert found is None or address(found).url == found


def robots(text):
    rules = parse_robots(text.encode("utf-8", "replace"), text, 30)
    assert rules.allows(URL) in {True, False}
    assert rules.delay is None or 0 <= rules.delay <= 30


def dates(text):
    moment = parse_date(text)
    assert moment is None or -2e10 < moment < 3e11
    wait = retry_after(text, NOW)
    assert wait is None or 0 <= wait <= 31_536_000


def charset(text):
    body = text.encode("utf-8", "replace")
    for header in (None, text, f"text/html; charset={text}"):
        content_type(header)
        assert isinstance(decode(body, detect(body, header)), str)
    detect(body.replace(b"a", b"\xff\xfe"), None)


def sitemap(text):
    body = text.encode("utf-8", "replace")
    for served in (body, b"<urlset>" + body, gzip.compress(body, 1), gzip.compress(body, 1)[:-9]):
        for entry in read_sitemap(served, URL).urls:
            assert address(entry.loc).url == entry.loc


def documents(text):
    for document in (HtmlDocument(text, URL), XmlDocument(text, URL)):
        document.css("a, p::text").getall()
        assert join(document.base_url, "x") or document.base_url == URL
        document.hrefs("a")


def sniffing(text):
    response = Response(URL, body=text.encode("utf-8", "replace"), request=Request(URL), parse=Parsers())
    assert response.doc is not None


PARSERS = [cookies, redirect, links, robots, dates, charset, sitemap, documents, sniffing]
WORDS = st.sampled_from(
    [
        *("http://", "//", "/", "../", "%", "%2e", "?", "#", "@", ":", "[", "]", "\\", ".", "xn--", "a.", "ä", "\0"),
        *("; ", "=", "a=b", "Domain=", "Path=/", "Max-Age=9", "Expires=", "__Host-", "Secure", ",", '"', "-", "9"),
        *("User-agent: *\n", "Disallow: /", "Allow: /", "Crawl-delay: 1e308\n", "*", "$", "Sitemap: ", "\n", "\r"),
        *("<a ", "<p>", "</p>", "<!--", "-->", "<base href='", "'", ">", "<meta charset=", "<?xml ", "<!DOCTYPE a ["),
        *(
            "<url><loc>",
            "</loc></url>",
            "<sitemapindex>",
            "<![CDATA[",
            "&a;",
            "&#x",
            "Nov ",
            "Sun, 06 Nov 1994 08:49:37 GMT",
        ),
        *("\ufeff", "\ud800", "\u0130", "text/html;", "charset=", "utf-16", "\t", " "),
    ]
)
FUZZ = settings(max_examples=100, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@FUZZ
@given(text=st.lists(WORDS | st.text(max_size=4), max_size=20).map("".join))
def test_nothing_that_a_server_sends_raises(parser, text):
    parser(text)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@settings(FUZZ, max_examples=40)
@given(
    begin=st.lists(WORDS, max_size=2).map("".join),
    fragment=st.lists(WORDS, min_size=1, max_size=3).map("".join),
    end=WORDS,
)
def test_nothing_that_is_large_takes_for_ever(parser, begin, fragment, end):
    parser(begin + fragment * (262_144 // len(fragment)) + end)
