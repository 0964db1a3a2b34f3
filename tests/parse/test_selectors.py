from __future__ import annotations

import re

import pytest

from scrapekit.parse import HtmlDocument, Selector, SelectorList, XmlDocument

PAGE = """<!doctype html><html><head><title>Quotes &amp; more</title></head><body>
<h1>Top <em>ten</em></h1><h2>All</h2>
<div class="quote first" id=q1><span class="text">“A &lt; B”</span> by <b>Ann</b><a class=tag href="/t/x">x</a>
<a class="tag hot" href="/t/y">y</a></div>
<div class="quote" id=q2><span class="text">C</span><a class="tag" HREF="/t/z">z</a></div>tail
<p>Price: 12.50 EUR</p><p></p><img src=/i.png>
</body></html>"""


@pytest.fixture
def doc() -> HtmlDocument:
    return HtmlDocument(PAGE)


def test_texts_and_attributes_are_plain_str(doc):
    found = doc.css("title::text").getall() + doc.css("a::attr(href)").getall() + doc.xpath("//b/text()").getall()
    assert found == ["Quotes & more", "/t/x", "/t/y", "/t/z", "Ann"]
    assert {type(text) for text in found} == {str}


def test_an_element_is_its_outer_html_without_the_tail(doc):
    assert doc.css("#q2").get() == (
        '<div class="quote" id="q2"><span class="text">C</span><a class="tag" href="/t/z">z</a></div>'
    )
    assert doc.css("img").getall() == ['<img src="/i.png">']
    assert doc.css("h1")[0].getall() == ["<h1>Top <em>ten</em></h1>"]


def test_xml_elements_are_serialised_as_xml():
    doc = XmlDocument("<r><A/>x</r>")
    assert doc.css("A").get() == "<A/>"
    assert doc.css("a").get() is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("h1, h2::text", ["<h1>Top <em>ten</em></h1>", "All"]),  # the pseudo-element belongs to h2 only
        ("h1::text, h2::text", ["Top ", "All"]),
        ("b::text, a.hot::attr(href), em", ["<em>ten</em>", "Ann", "/t/y"]),  # in document order
        ("h1 ::text", ["Top ", "ten"]),  # all texts below, also the direct ones
        ("h1 *::text", ["Top ", "ten"]),
        ("h1 > *::text", ["ten"]),
        ("#q1 ::attr(href)", ["/t/x", "/t/y"]),
        ("a.hot::attr(HREF)", ["/t/y"]),
        ("A.hot::attr('href')", ["/t/y"]),
        ("a:contains('z')::text", ["z"]),
        ("div.quote:not(.first) a::text", ["z"]),
        ("p:last-of-type", ["<p></p>"]),
        ("a::attr('x:y z')", []),
        ("nothing::text", []),
    ],
)
def test_css(doc, query, found):
    assert doc.css(query).getall() == found
    assert doc.css(query).get() == (found[0] if found else None)


def test_an_attribute_with_a_name_that_xpath_has_no_step_for_is_found():
    assert HtmlDocument("<a @click='go' x:y=1>").css("a::attr('@click'), a::attr('x:y')").getall() == ["go", "1"]


def test_an_html_attribute_is_found_whatever_its_case_and_an_xml_one_is_not():
    assert HtmlDocument("<a DATA-x=1>").css("a::attr(Data-X)").getall() == ["1"]
    assert XmlDocument("<a Data='1' data='2'/>").css("a::attr(Data)").getall() == ["1"]


def test_selection_goes_on_below_what_was_selected(doc):
    quotes = doc.css("div.quote")
    assert [quote.css("a.tag::text").getall() for quote in quotes] == [["x", "y"], ["z"]]
    assert [quote.xpath("./a/@href").getall() for quote in quotes] == [["/t/x", "/t/y"], ["/t/z"]]
    assert quotes.css("span::text").getall() == ["“A < B”", "C"]
    assert quotes.xpath(".//a[@class=$c]/text()", c="tag").getall() == ["x", "z"]
    assert quotes[0].xpath("//h2").get() == "<h2>All</h2>", "// starts at the document"
    assert quotes[1].css("div.quote::attr(id)").get() == "q2", "itself included"


def test_nothing_is_below_a_text(doc):
    assert doc.css("a::text").css("b").getall() == []
    assert doc.css("a::text")[0].xpath("..").getall() == []


def test_xpath_functions_give_one_value(doc):
    assert doc.xpath("count(//a)").get() == "3.0"
    assert doc.xpath("string(//title)").getall() == ["Quotes & more"]
    assert doc.xpath("//a = 'x'").get() == "1"
    assert doc.xpath("//a = 'q'").get() == "0"
    assert doc.xpath("count(//a)")[0].root == 3.0


def test_xpath_variables_are_values_and_not_code(doc):
    assert doc.xpath("//*[@id=$id]/@class", id="q1").getall() == ["quote first"]
    assert doc.xpath("//*[@id=$id]", id="' or '1'='1").getall() == []


def test_xpath_knows_regular_expressions_and_has_class(doc):
    assert doc.xpath(r"//a[re:test(@href, '/[xz]$')]/text()").getall() == ["x", "z"]
    assert doc.xpath("//a[has-class('hot', 'tag')]/text()").getall() == ["y"]
    assert doc.xpath("//*[has-class('hot') or self::b]/text()").getall() == ["Ann", "y"]


@pytest.mark.parametrize(
    "query", ["a[", "", "a::before", "a::attr()", "a::attr(a, b)", "a::slotted(x)", "a:nope", "x|a"]
)
def test_a_bad_css_selector_is_an_error_that_shows_it(doc, query):
    with pytest.raises(ValueError, match=re.escape(f"CSS selector {query!r} failed: ")) as caught:
        doc.css(query)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    "query", ["//a[", "", "//a\0", "//x:a", "nope()", "//a[.=$x]", "//a[re:test(., '(')]", "//a/text()[has-class('x')]"]
)
def test_a_bad_xpath_is_an_error_that_shows_it(doc, query):
    for _ in range(2):  # one that compiles is kept
        with pytest.raises(ValueError, match=re.escape(f"XPath {query!r} failed: ")) as caught:
            doc.xpath(query)
        assert caught.value.__cause__ is not None


def test_get_has_a_default(doc):
    assert doc.css("nav::text").get() is None
    assert doc.css("nav::text").get("-") == "-"
    assert doc.css("nav::text").get(default="-") == "-"
    assert doc.css("h2::text").get("-") == "All"
    assert doc.css("h2::text")[0].get(default="-") == "All"


def test_attrib_is_that_of_the_first(doc):
    assert doc.css("a.hot").attrib == {"class": "tag hot", "href": "/t/y"}
    assert doc.css("a")[-1].attrib["href"] == "/t/z"
    assert doc.css("nav").attrib == {}
    assert doc.css("a::text").attrib == {}
    assert doc.css("a::text")[0].attrib == {}


def test_re_gives_groups_where_there_are_any(doc):
    assert doc.css("p::text").re(r"\d+\.\d+") == ["12.50"]
    assert doc.css("p::text").re(r"(\d+)\.(\d+) (\w+)") == ["12", "50", "EUR"]
    assert doc.css("p::text")[0].re(re.compile("price: (.)", re.IGNORECASE)) == ["1"]
    assert doc.css("a").re('href="(.*?)"') == ["/t/x", "/t/y", "/t/z"]
    assert doc.re(r"<title>(.*)</title>") == ["Quotes &amp; more"]


def test_re_resolves_entities_of_markup_but_not_what_would_become_markup():
    doc = HtmlDocument("<p>a &gt; b &lt; c</p>")
    assert doc.css("p").re("a.*c") == ["a > b &lt; c"]
    assert doc.css("p::text").re("a.*c") == ["a > b < c"]


def test_re_first_has_a_default(doc):
    assert doc.css("a::text").re_first("[yz]") == "y"
    assert doc.css("a::text").re_first("q") is None
    assert doc.css("a::text").re_first("q", default="-") == "-"
    assert doc.css("p::text")[0].re_first(r"\d") == "1"
    assert doc.css("p::text")[0].re_first("q", "-") == "-"


def test_a_list_is_a_sequence_of_selectors(doc):
    links = doc.css("a")
    assert isinstance(links, SelectorList)
    assert len(links) == 3
    assert all(type(link) is Selector for link in links)
    assert [link.css("::text").get() for link in reversed(links)] == ["z", "y", "x"]
    assert isinstance(links[1:], SelectorList)
    assert links[1:].css("::text").getall() == ["y", "z"]
    with pytest.raises(IndexError):
        links[3]


def test_an_empty_list_is_false_and_so_is_an_empty_text(doc):
    assert doc.css("a")
    assert not doc.css("nav")
    assert doc.css("p")[1], "an element without content is something"
    assert not Selector("", doc._dialect)
    assert doc.css("a::text")[0]


def test_repr_shows_what_was_selected(doc):
    assert repr(doc.css("b")[0]) == "<Selector '<b>Ann</b>'>"
    assert repr(doc.css("h2::text, b::text")) == "[<Selector 'All'>, <Selector 'Ann'>]"
    assert repr(doc) == f"<HtmlDocument {PAGE[15:72] + '...'!r}>"
    assert repr(HtmlDocument("<i></i>" * 11).css("i")).endswith("<Selector '<i></i>'>, ...]")
    assert str(doc.css("b")[0]) == "<b>Ann</b>"


def test_comments_and_namespaces_are_nodes_too():
    doc = XmlDocument("<r xmlns:k='u'><!-- c --></r>")
    assert doc.xpath("//comment()").getall() == ["<!-- c -->"]
    assert doc.xpath("//comment()").attrib == {}
    assert "('k', 'u')" in doc.xpath("/r/namespace::*").getall()
