"""What a page says about itself."""

import pytest
from urllib3 import HTTPHeaderDict

from scrapekit.messages import Request, Response
from scrapekit.parse import Parsers
from scrapekit.spiders import Directives, directives

URL = "https://ex.com/a/page"


def said(body="", *headers):
    fields = HTTPHeaderDict([("Content-Type", "text/html"), *headers])
    return directives(Response(URL, 200, fields, body.encode(), request=Request(URL), parse=Parsers()))


@pytest.mark.parametrize(
    ("body", "noindex", "nofollow"),
    [
        ("", False, False),
        ('<meta name="robots" content="index, follow">', False, False),
        ('<META NAME="Robots" CONTENT="NoIndex,NOFOLLOW">', True, True),
        ('<meta name=robots content="none">', True, True),
        ('<meta name=robots content="nofollow"><meta name=robots content="noindex">', True, True),
        ('<meta name=googlebot content="noindex">', False, False),
    ],
    ids=range(6),
)
def test_meta_robots(body, noindex, nofollow):
    assert said(body) == Directives(noindex, nofollow)


@pytest.mark.parametrize(
    ("value", "noindex", "nofollow"),
    [
        ("noindex", True, False),
        ("max-snippet: 20, nofollow", False, True),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST, noindex", True, False),
        ("googlebot: noindex, nofollow", False, False),
    ],
    ids=range(4),
)
def test_x_robots_tag(value, noindex, nofollow):
    assert said("", ("X-Robots-Tag", "all"), ("X-Robots-Tag", value)) == Directives(noindex, nofollow)


@pytest.mark.parametrize(
    ("body", "link", "canonical"),
    [
        ('<link rel="canonical" href="/b">', None, "https://ex.com/b"),
        ('<link REL="Shortlink CANONICAL" href="b#x">', None, "https://ex.com/a/b"),
        ('<base href="/x/"><link rel=canonical href="y">', None, "https://ex.com/x/y"),
        ('<link rel=canonical href="/b"><link rel=canonical href="https://ex.com/b">', None, "https://ex.com/b"),
        ('<link rel=canonical href="/b"><link rel=canonical href="/c">', None, None),
        ('<link rel=canonical href="mailto:a">', None, None),
        ('<link rel=canonical href="">', None, None),
        ('<link rel=alternate href="/b">', None, None),
        ("", '</style.css>; rel=preload, <b?x=1,2>; type="a,b"; rel="canonical"', "https://ex.com/a/b?x=1,2"),
        ("", "<b>", None),
        ("<link rel=canonical href=/element>", "</header>; rel=canonical", "https://ex.com/element"),
    ],
    ids=range(11),
)
def test_canonical(body, link, canonical):
    assert said(body, *([("Link", link)] if link else [])).canonical == canonical


def test_what_is_no_markup_says_it_by_headers():
    fields = HTTPHeaderDict(
        [("Content-Type", "application/pdf"), ("Link", "</doc>; rel=canonical"), ("X-Robots-Tag", "none")]
    )
    page = Response(URL, 200, fields, b"%PDF", request=Request(URL), parse=Parsers())
    assert directives(page) == Directives(True, True, "https://ex.com/doc")
