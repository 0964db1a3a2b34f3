from __future__ import annotations

import gc
import weakref

import pytest

from scrapekit.parse import HtmlDocument, XmlDocument

URL = "https://site.example/shop/list.html"
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xmlns:m="urn:m">
<entry m:id="1" id="0"><title>One</title><link href="/1"/><m:Price m:unit="EUR">5</m:Price></entry>
<entry><title>Two</title><link href="/2"/></entry></feed>"""


@pytest.mark.parametrize(
    ("markup", "base"),
    [
        ("<p>", URL),
        ("<base href=/other/>", "https://site.example/other/"),
        ("<BASE HREF='//cdn.example/x'>", "https://cdn.example/x"),
        ("<base target=_top><base href=a/><base href=b/>", "https://site.example/shop/a/"),
        ("<p><base href=late/>", "https://site.example/shop/late/"),
        ("<base href=mailto:x@y.example>", URL),
        ("<base href='javascript:x()'><base href=/second/>", URL),
        ("<base href='data:text/html,x'>", URL),
        ("<base href=''>", URL),
        ("<base href='#frag'>", URL),
        ("<base href='?q'>", f"{URL}?q"),
        ("<base href='../../../x/./y'>", "https://site.example/x/y"),
        ("<base href='HTTP://OTHER.example:80'>", "http://other.example/"),
        ("<base href='  /a b\n'>", "https://site.example/a%20b"),
        ("<!--<base href=/no/>--><base href=/yes/>", "https://site.example/yes/"),
        ("<base href='http://[bad'>", URL),
    ],
)
def test_the_base_url_is_that_of_the_first_base_element(markup, base):
    assert HtmlDocument(f"<html><head>{markup}", URL).base_url == base


def test_the_base_url_of_xml_is_its_own():
    assert XmlDocument("<r><base href='/x'/></r>", URL).base_url == URL


@pytest.mark.parametrize(
    ("query", "urls"),
    [
        ("a", ["/1", "2.html"]),
        ("li a", ["2.html"]),
        ("a.next", ["2.html"]),
        ("img, a", ["/1", "2.html", "i.png"]),
        ("img::attr(src), a", ["/1", "2.html", "i.png"]),
        ("li::text", ["x"]),
        ("link, script", ["s.css", "s.js"]),
        ("*", ["s.css", "s.js", "/1", "2.html", "i.png"]),
        ("nav a", []),
    ],
)
def test_hrefs_are_those_of_the_selected_elements_as_written(query, urls):
    doc = HtmlDocument(
        "<link href=s.css><script src=s.js></script><a href=/1>1</a><a name=here></a><a href=''>self</a>"
        "<li>x<a class=next href=2.html>2</a></li><img src=i.png><img>"
    )
    assert doc.hrefs(query) == urls


def test_hrefs_of_a_bad_selector_are_an_error():
    with pytest.raises(ValueError, match="CSS selector 'a\\[' failed"):
        HtmlDocument("<a>").hrefs("a[")


def test_xml_is_selected_by_registered_prefixes():
    doc = XmlDocument(ATOM, URL)
    assert not doc.css("entry")
    doc.register_namespace("a", "http://www.w3.org/2005/Atom")
    assert doc.css("a|entry a|title::text").getall() == ["One", "Two"]
    assert [entry.xpath("a:title/text()").get() for entry in doc.xpath("//a:entry")] == ["One", "Two"]
    assert doc.hrefs("a|link") == ["/1", "/2"]


def test_xml_is_selected_by_prefixes_of_one_query():
    doc = XmlDocument(ATOM, URL)
    assert doc.xpath("//m:Price/@m:unit", namespaces={"m": "urn:m"}).getall() == ["EUR"]
    assert doc.xpath("//x:title/text()", {"x": "http://www.w3.org/2005/Atom"}).getall() == ["One", "Two"]
    with pytest.raises(ValueError, match="prefix"):
        doc.xpath("//m:Price")


def test_namespaces_can_be_removed():
    doc = XmlDocument(ATOM, URL)
    doc.remove_namespaces()
    assert doc.css("entry title::text").getall() == ["One", "Two"]
    assert doc.xpath("//Price/@unit").get() == "EUR"
    assert doc.css("entry").attrib == {"id": "0"}, "the attribute that had no prefix wins"
    assert "xmlns" not in doc.get()


def test_xhtml_as_html_needs_no_namespace():
    doc = HtmlDocument('<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><p>x</p></html>')
    assert doc.css("p::text").get() == "x"


def test_a_document_dies_with_its_last_reference():
    class Watched(HtmlDocument):
        __slots__ = ("__weakref__",)

    gc.disable()
    try:
        doc = Watched("<p>x")
        dead = weakref.ref(doc)
        assert doc.css("p").css("::text").get() == "x"
        del doc
        assert dead() is None, "a cycle would keep pages in memory until the next collection"
    finally:
        gc.enable()
