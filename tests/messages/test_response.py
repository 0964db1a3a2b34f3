"""What a callback can ask a response."""

from __future__ import annotations

import pytest
from lxml import etree
from urllib3 import HTTPHeaderDict

from scrapekit.errors import ParseError, RequestInvalid
from scrapekit.messages import Request, Response

URL = "https://example.org/shop/list.html"


def response_of(body=b"", content_type="text/html; charset=utf-8", parse=lambda response: None, url=URL, **arguments):
    headers = HTTPHeaderDict({"Content-Type": content_type} if content_type else {})
    return Response(url, 200, headers, body, request=Request(URL, meta={"a": 1}), parse=parse, **arguments)


class Selector:
    """As a selector of the parsers looks from here."""

    def __init__(self, root, attrib=None):
        self.root = root
        self.attrib = attrib or {}


class Document:
    base_url = "https://cdn.example.org/base/"

    def css(self, query):
        return ["css", query]

    def xpath(self, query, **variables):
        return ["xpath", query, variables]

    def re(self, pattern):
        return ["re", pattern]

    def hrefs(self, query):
        return ["a.html", "mailto:a@example.org", "", "/b.html"]


def test_a_response_shows_what_it_was_made_of():
    response = response_of(b"abc", elapsed=0.5, flags=["parse_truncated"])
    assert (response.url, response.status, response.body, response.elapsed) == (URL, 200, b"abc", 0.5)
    assert (response.flags, response.meta) == (["parse_truncated"], {"a": 1})
    assert repr(response) == f"<Response 200 {URL} 3 bytes>"
    assert Response(URL, request=Request(URL), parse=bool).headers == HTTPHeaderDict()


def test_text_is_decoded_once_by_the_charset_of_the_header():
    response = response_of("é".encode("latin-1"), "text/html; charset=iso-8859-1")
    assert (response.encoding, response.text) == ("cp1252", "é")
    assert response.text is response.text


def test_the_document_is_parsed_at_first_use_and_once():
    parsed = []
    response = response_of(parse=lambda response: parsed.append(response) or Document())
    assert not parsed
    assert response.doc is response.doc
    assert parsed == [response]
    assert response_of(parse=lambda response: None).doc is None


def test_each_use_of_a_document_that_can_not_be_parsed_is_a_parse_error():
    own = ParseError("own")

    def broken(response):
        raise LookupError("no such table")

    def own_error(response):
        raise own

    response = response_of(parse=broken)
    for _ in range(2):
        with pytest.raises(ParseError, match=r"^LookupError: no such table$") as caught:
            _ = response.doc
        assert caught.value.request is response.request
        assert isinstance(caught.value.__cause__, LookupError)
    response = response_of(parse=own_error)
    for _ in range(2):
        with pytest.raises(ParseError) as caught:
            _ = response.doc
        assert caught.value is own


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"a": "\xc3\xa9"}', "application/json"),
        (b'{"a": "\xc3\xa9"}', None),
        (b'\xef\xbb\xbf{"a": "\xc3\xa9"}', "application/json"),
        (b'{"a": "\xe9"}', "application/json; charset=iso-8859-1"),
        ('{"a": "é"}'.encode("utf-16"), "application/json"),
        (b' \n{"a": "\\u00e9"}\n', "text/html"),
    ],
)
def test_json_is_read_in_its_encoding_whatever_the_media_type(body, content_type):
    assert response_of(body, content_type).json() == {"a": "é"}


def test_json_takes_what_sites_send():
    values = response_of(b'["\\ud83d", NaN, 100000000000000000000, 1e400]').json()
    assert (values[0], values[2], values[3]) == ("\ud83d", 10**20, float("inf"))
    assert values[1] != values[1]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b'{"a": 1}}', b"[" * 100_000, b"[1" + b"0" * 5000 + b"]"])
def test_what_is_not_json_is_a_parse_error(body):
    response = response_of(body)
    with pytest.raises(ParseError, match=r"^not JSON: ") as caught:
        response.json()
    assert caught.value.request is response.request


def test_queries_go_to_the_document():
    response = response_of(parse=lambda response: Document())
    assert response.css("a") == ["css", "a"]
    assert response.xpath("//a[@id=$id]", id="x") == ["xpath", "//a[@id=$id]", {"id": "x"}]
    assert response.re("[0-9]+") == ["re", "[0-9]+"]


def test_a_query_of_a_document_without_selectors_says_what_it_is():
    response = response_of(content_type="application/json", parse=lambda response: {"a": 1})
    with pytest.raises(
        ParseError,
        match=rf"response.css\(\) needs an HTML or XML document; the media type of {URL} is application/json, and its document is dict",
    ):
        response.css("a")
    with pytest.raises(ParseError, match=r"media type of .* is none"):
        response_of(content_type=None).follow_all("a").__next__()


def test_links_are_resolved_against_the_base_of_the_document():
    response = response_of(parse=lambda response: Document())
    assert response.urljoin("a.html") == "https://cdn.example.org/base/a.html"
    assert response.follow("../b").url == "https://cdn.example.org/b"
    plain = response_of()
    assert plain.urljoin("a.html") == "https://example.org/shop/a.html"
    assert plain.urljoin("") == URL
    assert plain.urljoin("mailto:a@example.org") == "mailto:a@example.org"


ELEMENTS = etree.fromstring("<p><a class='x' href='c.html'/><img src='d.png'/><a/><a class='x'/></p>")


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("c.html", "c.html"),
        (etree.HTML("<a href='c.html'>").xpath("//a/@href")[0], "c.html"),
        (Selector("c.html"), "c.html"),
        (Selector(ELEMENTS[0], {"class": "x", "href": "c.html"}), "c.html"),
        (Selector(ELEMENTS[1], {"src": "d.png"}), "d.png"),
        ([Selector("c.html"), Selector("d.html")], "c.html"),
        (ELEMENTS[0], "c.html"),
        (ELEMENTS[1], "d.png"),
    ],
)
def test_follow_takes_a_url_or_anything_with_a_link_in_it(link, path):
    request = response_of().follow(link, "parse_book", cb_kwargs={"n": 1}, priority=2)
    assert request == Request(f"https://example.org/shop/{path}", "parse_book", cb_kwargs={"n": 1}, priority=2)
    assert [request.url for request in response_of().follow_all([link])] == [request.url]


@pytest.mark.parametrize(
    "link",
    [
        None,
        [],
        Selector(ELEMENTS[2]),
        Selector(ELEMENTS[3], {"class": "x"}),
        ELEMENTS[2],
        ELEMENTS[3],
        3,
        Selector(1.5),
    ],
)
def test_nothing_to_follow_is_an_error_of_follow_and_skipped_by_follow_all(link):
    with pytest.raises(RequestInvalid, match=f"found no link in .*{URL}"):
        response_of().follow(link)
    assert [request.url for request in response_of().follow_all([link, "x.html"])] == [
        "https://example.org/shop/x.html"
    ]


def test_follow_refuses_what_can_not_be_fetched_and_follow_all_skips_it():
    for href in ("mailto:a@example.org", "javascript:void(0)", "http://[bad", "data:,x", "tel:1"):
        with pytest.raises(RequestInvalid):
            response_of().follow(href)
        assert list(response_of().follow_all([href])) == []


def test_follow_all_takes_a_css_selector():
    response = response_of(parse=lambda response: Document())
    requests = list(response.follow_all("a", "parse_book", priority=1))
    assert requests == [
        Request("https://cdn.example.org/base/a.html", "parse_book", priority=1),
        Request("https://cdn.example.org/b.html", "parse_book", priority=1),
    ]


def test_follow_all_checks_its_arguments():
    with pytest.raises(RequestInvalid, match="priority"):
        list(response_of().follow_all(["a"], priority="high"))
