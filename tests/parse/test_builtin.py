from __future__ import annotations

import pytest

from scrapekit.errors import ParseError
from scrapekit.parse import HtmlDocument, XmlDocument

XHTML = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>x</p></body></html>'


@pytest.mark.parametrize("content_type", ["text/html", "Text/HTML; Charset=utf-8", "application/xhtml+xml"])
def test_html_is_parsed_as_html_even_if_it_is_xhtml(respond, content_type):
    response = respond(XHTML, content_type)
    assert type(response.doc) is HtmlDocument
    assert response.css("p::text").getall() == ["x"]
    assert response.xpath("//p/text()").get() == "x"
    assert response.re("<p>(.)</p>") == ["x"]


@pytest.mark.parametrize("content_type", ["text/xml", "application/xml", "application/rss+xml", "image/svg+xml"])
def test_xml_is_parsed_as_xml(respond, content_type):
    response = respond("<r><Item>x</Item></r>", content_type)
    assert type(response.doc) is XmlDocument
    assert response.css("Item::text").getall() == ["x"]


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("iso-8859-1", "cp1252"), ("shift_jis", "cp932"), ("windows-1251", "cp1251"), ("utf-16", "utf-16-le"),
     ("gb2312", "gb18030"), ("euc-kr", "cp949"), ("utf-8", "utf-8")],
)  # fmt: skip
def test_the_encoding_is_that_of_the_response_whatever_libxml2_knows(respond, charset, codec):
    text = {"cp1252": "café €", "cp932": "日本①", "cp1251": "Привет", "gb18030": "中文", "cp949": "한국"}.get(
        codec, "日本"
    )
    page = f"<meta charset=latin-1><p>{text}</p><p>end</p>".encode(codec)
    assert respond(page, f"text/html; charset={charset}").css("p::text").getall() == [text, "end"]
    feed = f'<?xml version="1.0" encoding="latin-1"?><r><p>{text}</p><p>end</p></r>'.encode(codec)
    assert respond(feed, f"text/xml; charset={charset}").css("p::text").getall() == [text, "end"]


def test_a_byte_that_is_wrong_in_its_encoding_does_not_cut_the_page_off(respond):
    page = "<p>日本".encode("cp932") + b"\xff\x80</p><p>end</p>"
    assert respond(page, "text/html; charset=shift_jis").css("p::text").getall()[-1] == "end"


def test_what_was_cut_off_is_flagged_on_the_response(respond):
    deep = respond(b"<div>" * 5000, "text/html")
    assert deep.css("div")
    assert deep.flags == ["parse_truncated"]
    broken = respond(b"<r><p>x", "text/xml")
    assert broken.css("p::text").get() == "x"
    assert broken.flags == ["parse_recovered"]


def test_links_are_followed_from_the_base(respond):
    response = respond("<base href=/b/><a href=x>1</a><a href='mailto:a@b'>2</a><a>3</a><img src=i.png>", "text/html")
    assert [request.url for request in response.follow_all("a")] == ["https://site.example/b/x"]
    assert [request.url for request in response.follow_all(response.css("a, img"))] == [
        "https://site.example/b/x",
        "https://site.example/b/i.png",
    ]
    assert response.follow(response.css("a")[0]).url == "https://site.example/b/x"
    assert response.follow(response.css("a::attr(href)")[0]).url == "https://site.example/b/x"


@pytest.mark.parametrize("content_type", ["application/json", "application/ld+json", "text/json"])
def test_json_is_decoded(respond, content_type):
    assert respond('{"a": [1, "é"]}', content_type).doc == {"a": [1, "é"]}
    assert respond('{"a": "é"}'.encode("cp1252"), f"{content_type}; charset=latin-1").doc == {"a": "é"}


def test_what_is_no_json_is_an_error(respond):
    with pytest.raises(ParseError, match="not JSON"):
        assert respond("<html>", "application/json").doc


def test_csv_is_a_list_of_dicts(respond):
    body = '\ufeffname,note\r\nAnn,"a, b\r\nc"\r\n\r\nBob\r\nCyd,é,,\r\n'
    assert respond(body, "text/csv; header=present").doc == [
        {"name": "Ann", "note": "a, b\r\nc"},
        {"name": "Bob", "note": None},
        {"name": "Cyd", "note": "é"},
    ]
    assert respond("a\tb\n1\t2,3\n", "text/tab-separated-values").doc == [{"a": "1", "b": "2,3"}]
    assert respond("", "text/csv").doc == []


def test_csv_with_cells_that_have_no_header_is_an_error_with_its_line(respond):
    with pytest.raises(ParseError, match="CSV line 3 has 3 cells under a header of 2") as caught:
        assert respond("a,b\n1,2\n3,4,5\n", "text/csv").doc
    assert caught.value.request is not None


def test_csv_that_cannot_be_read_is_an_error_with_its_line(respond):
    with pytest.raises(ParseError, match="CSV line 2: field larger than field limit"):
        assert respond("a\n" + "x" * 200_000, "text/csv").doc


def test_other_text_is_str_and_the_rest_is_bytes(respond):
    assert respond("é".encode("cp1252"), "text/plain; charset=latin-1").doc == "é"
    assert respond("a {}", "text/css").doc == "a {}"
    assert respond(b"%PDF", "application/pdf").doc == b"%PDF"
    assert respond(b"<html>", "application/octet-stream").doc == b"<html>"
    with pytest.raises(ParseError, match=r"response\.css\(\) needs an HTML or XML document"):
        respond(b"%PDF", "application/pdf").css("a")
