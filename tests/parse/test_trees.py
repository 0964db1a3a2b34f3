from __future__ import annotations

import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from scrapekit.parse import HtmlDocument, XmlDocument, trees

SOUP = st.lists(
    st.sampled_from(
        [b"<", b">", b"<p", b"</p>", b"<a href='", b"'", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?xml version='1.0'",
         b" encoding='utf-16'", b"?>", b"<!DOCTYPE r [", b"<!ENTITY x 'y'>", b"&x;", b"&#0;", b"&#xd800;", b"&#57343;", b"\0", b"\xff",
         b"\xed\xa0\x80", b"\xc3", "é\ufeff\uffff".encode(), b"<html>", b"<script>", b"<table>", b"<svg:a x:y=1>", b" ", b"x"]
    )
).map(b"".join)  # fmt: skip


@given(source=st.binary() | SOUP | st.text())
@example(source=b"<_><!--\x01&#xd800;")
@example(source=b"<_><![CDATA[\x01&#0057343;")
@pytest.mark.parametrize("kind", [HtmlDocument, XmlDocument])
def test_nothing_in_a_body_raises(kind, source):
    doc = kind(source, "https://site.example/")
    for query in ("*", "*::text", "::attr(href)", "a"):
        for text in doc.css(query).getall():
            assert text.encode("utf-8", "strict") is not None
    assert doc.get() is not None
    assert doc.hrefs("*") is not None
    assert doc.base_url.startswith("https://")
    if kind is XmlDocument:
        doc.remove_namespaces()
        assert doc.get() is not None


@pytest.mark.parametrize(
    "source", [b"", "", b" \n", b"<!-- only a comment -->", b"<!doctype html>", b"\0", b"\xef\xbb\xbf"]
)
@pytest.mark.parametrize("kind", [HtmlDocument, XmlDocument])
def test_a_body_without_an_element_is_a_document_without_results(kind, source):
    doc = kind(source, "https://site.example/x")
    assert doc.css("*").getall() == []
    assert doc.css("title::text").get() is None
    assert doc.xpath("//node()").getall() == []
    assert doc.xpath("count(//a)").get() is None
    assert doc.re(".+") == []
    assert doc.hrefs("a") == []
    assert doc.base_url == "https://site.example/x"
    assert (doc.get(), doc.attrib, bool(doc)) == ("", {}, False)
    if kind is XmlDocument:
        doc.remove_namespaces()


def test_what_is_not_utf8_is_replaced_and_the_rest_kept(monkeypatch):
    for keeps in (trees._KEEPS_INVALID_BYTES, True):  # as with older versions of libxml2
        monkeypatch.setattr(trees, "_KEEPS_INVALID_BYTES", keeps)
        assert HtmlDocument(b"<p>a\xffb</p><p>\xc3\xa9").css("p::text").getall() == ["a\ufffdb", "é"]
        assert XmlDocument(b"<r><p>a\xffb</p><p>\xc3\xa9</p></r>").css("p::text").getall() == ["a\ufffdb", "é"]
        assert HtmlDocument(b"<p>plain").css("p::text").getall() == ["plain"]


def test_null_characters_end_nothing():
    assert HtmlDocument(b"\0<p>a\0b</p><p>c").css("p::text").getall() == ["ab", "c"]
    assert XmlDocument(b"<r><p>a\0b</p><p>c</p></r>").css("p::text").getall() == ["ab", "c"]


def test_references_to_half_a_character_are_replaced():
    emoji = "".join(
        f"&#{reference};" for reference in ("xD83D", "xDE00", "55357", "056832", "x0dfff", "57343", "55295")
    )
    for kind in (HtmlDocument, XmlDocument):
        doc = kind(f"<r><p title='{emoji}'>{emoji}</p><b>after</b></r>")
        text = doc.css("p::text").get()
        assert text.replace("\ufffd", "") == doc.css("p").attrib["title"].replace("\ufffd", "") == "\ud7ff"
        assert doc.css("b::text").get() == "after"
        assert doc.css("p").get().startswith("<p title=")
    assert text.count("\ufffd") == 6


def test_a_lone_surrogate_in_text_is_replaced():
    assert HtmlDocument("<p>a\ud800b</p><p>c").css("p::text").getall() == ["a?b", "c"]


@pytest.mark.parametrize("declared", ["iso-8859-1", "utf-16", "no-such"])
def test_what_a_body_declares_as_its_encoding_is_ignored(declared):
    source = f'<?xml version="1.0" encoding="{declared}"?><html><p>é</p></html>'
    for kind in (HtmlDocument, XmlDocument):
        assert kind(source).css("p::text").get() == "é"
        assert kind(source.encode()).css("p::text").get() == "é"
    assert HtmlDocument(f"<meta charset={declared}><p>é").css("p::text").get() == "é"


def test_html_is_read_to_a_depth_of_2000_elements():
    doc = HtmlDocument(b"<div>" * 2000 + b"<p>deep")
    assert doc.css("p::text").get() == "deep"
    assert doc.flags == ()


def test_html_that_is_cut_off_by_its_depth_is_flagged():
    assert HtmlDocument(b"<div>" * 5000 + b"<p>deep").flags == (trees.TRUNCATED,)


def test_the_flag_survives_a_page_full_of_errors():
    assert HtmlDocument(b"</b></i>" * 1000 + b"<div>" * 5000).flags == (trees.TRUNCATED,)


def test_a_long_text_does_not_lose_an_html_page():
    doc = HtmlDocument(b"<pre>" + b"x" * 11_000_000 + b"</pre><p>after")
    assert doc.css("p::text").get() == "after"
    assert doc.flags == ()


def test_xml_that_is_cut_off_by_a_limit_is_flagged():
    assert XmlDocument(b"<a>" * 300 + b"</a>" * 300).flags == (trees.TRUNCATED,)
    assert trees.TRUNCATED in XmlDocument(b"<a><b>" + b"x" * 11_000_000 + b"</b><c/></a>").flags


def test_xml_that_is_not_well_formed_is_read_as_far_as_it_goes_and_flagged():
    doc = XmlDocument("<feed><entry>one</entry><entry>two & a half</entry><entry>thr")
    assert doc.css("entry::text").getall() == ["one", "two & a half", "thr"]
    assert doc.flags == (trees.RECOVERED,)
    assert XmlDocument("<a><b/></a>").flags == ()
    assert XmlDocument("<u:a/>").flags == (), "an undeclared prefix loses nothing"


@pytest.mark.parametrize(
    "broken", ["<b>&</b>", "<b>&nbsp;</b>", "<b>&unknown;</b>", "<b></i>", "<b>&#xD83D;</b>", "<b x=1/>", "<u:b/>"]
)
def test_no_reference_is_lost_because_something_else_is_wrong(broken):
    rest = "<i a='1&amp;2'>&amp;&lt;&#x20AC;</i><![CDATA[&amp; & &nbsp;]]><!-- & -->"
    doc = XmlDocument(f"<r>{broken}{rest}<u>?a=1&b=2&amp;c&copy;&copy=3&#38;</u></r>")
    assert doc.css("i::text").get() == "&<€"
    assert doc.css("i::attr(a)").get() == "1&2"
    assert doc.xpath("string(u)").get() == "?a=1&b=2&c©&copy=3&"
    assert "".join(doc.xpath("//r//text()").getall()).count("&amp; & &nbsp;") == 1


def test_html_has_references_of_its_own_names_in_broken_xml_too():
    assert XmlDocument("<r><b>a&nbsp;b &fjlig; &no.such; &no</b></r>").xpath("string(//b)").get() == "a\xa0b fj  &no"


def test_space_before_an_xml_declaration_is_no_error():
    for begin in ("\n ", "\ufeff\r\n"):
        doc = XmlDocument(f"{begin}<?xml version='1.0'?><r>a &amp; b</r>")
        assert (doc.css("r::text").get(), doc.flags) == ("a & b", ())


def test_no_entity_is_expanded_nor_loaded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    doc = XmlDocument(f'<!DOCTYPE r [<!ENTITY f SYSTEM "{secret.as_uri()}"><!ENTITY x "y">]><r>1&f;2&x;3</r>')
    assert doc.css("r::text").getall() == ["1", "2", "3"]
    assert "s3cret" not in doc.get() + doc.xpath("string(/)").get("")


def test_entities_that_explode_are_cut_off():
    levels = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">' for n in range(1, 10))
    doc = XmlDocument(f'<!DOCTYPE r [<!ENTITY x0 "0123456789">{levels}]><r a="&x9;">&x9;</r>')
    assert doc.flags == (trees.TRUNCATED,)
    assert len(doc.xpath("string(/)").get("")) < 1_000_000


def test_each_thread_has_its_own_parsers():
    seen = [trees._thread.html, trees._thread.xml]
    other = threading.Thread(target=lambda: seen.extend([trees._thread.html, trees._thread.xml]))
    other.start()
    other.join()
    assert len({id(parser) for parser in seen}) == 4
    assert [type(parser) for parser in seen] == [etree.HTMLParser, etree.XMLParser] * 2
    assert [trees._thread.html, trees._thread.xml] == seen[:2]


ATTRIBUTES = b" ".join(b"a%d='>'" % n for n in range(9_000))


@pytest.mark.parametrize("tag", [b"<a %b>", b"<A/%b>", b"</a %b>", b"<x-y\n%b", b"<script %b>"])
def test_html_is_cut_off_before_a_tag_of_a_thousand_attributes(tag):
    doc = HtmlDocument(b"<p>before</p><!-- <a " + ATTRIBUTES[:100] + b"-->" + tag % ATTRIBUTES + b"<p>after</p>")
    assert doc.css("p::text").getall() == ["before"]
    assert doc.flags == (trees.TRUNCATED,)


@pytest.mark.parametrize(
    "body",
    [
        b"<a href='x'>x</a>" * 20_000,
        b"<script>" + b"if (a<b && c) d / e; " * 20_000 + b"</script>",
        b"<!-- <a " + b"b " * 100_000 + b"-->",
        b"<a title='" + b"b " * 100_000 + b"'>x</a>",
        b'<a title="<b c>' + b"b " * 100_000 + b'">x</a>',
        b"a < b " * 50_000,
        b"<title>" + b"<a b " * 50_000 + b"</title>",
    ],
    ids=["many tags", "script", "comment", "value", "value with a tag", "text", "title"],
)
def test_what_only_looks_like_attributes_is_not_cut_off(body):
    doc = HtmlDocument(b"<body>" + body + b"<p>after</p>")
    assert doc.css("p::text").get() == "after"
    assert doc.flags == ()
