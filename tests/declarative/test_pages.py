"""What is taken from a page: items in elements, JSON, CSV and XML; those that have a page of their own."""

from __future__ import annotations

import pytest

from scrapekit.declarative import load
from scrapekit.errors import ParseError
from scrapekit.testing import response

LIST = """
<div class=q id=1><b>One</b><a href="/1?x=1">more</a></div>
<div class=q id=2><i>Two</i><a href="two/">more</a></div>
<p>Ada</p>
"""


def test_an_item_stands_in_each_element(take):
    taken = take("items: {each: div.q, fields: {id: '::attr(id)', link: {css: a, to: url}}}", LIST)
    assert taken.items == [
        {"id": "1", "link": "https://example.org/1?x=1"},
        {"id": "2", "link": "https://example.org/list/two/"},
    ]
    assert taken.requests == []


def test_elements_may_be_found_by_xpath(take):
    taken = take("items: {each: {xpath: '//div[b]'}, fields: {b: b, here: {xpath: '@id'}}}", LIST)
    assert taken.items == [{"b": "One", "here": "1"}]


def test_an_item_that_is_not_as_it_must_be_costs_itself_alone(take):
    taken = take("items: {each: div.q, fields: {b: b, id: {xpath: '@id', type: int}}}", LIST)
    assert taken.items == [{"b": "One", "id": 1}]
    [error] = taken.errors
    assert (str(error), error.field, error.url) == ("b: nothing matches 'b'", "b", "https://example.org/list/")


def test_a_page_may_give_items_of_several_kinds(spider):
    made = spider("""
        start: https://example.org/
        items:
          - {kind: Quote, each: div.q, fields: {id: "::attr(id)"}}
          - {kind: Person, fields: {name: p}}
        """)
    items = list(made().parse(response("https://example.org/", LIST)))
    assert [(type(item).__name__, item.model_dump()) for item in items] == [
        ("Quote", {"id": "1"}),
        ("Quote", {"id": "2"}),
        ("Person", {"name": "Ada"}),
    ]


DETAILED = """
items:
  kind: Quote
  each: div.q
  unique: [id, title]
  fields: {id: "::attr(id)", n: {xpath: "@id", to: price}, day: {value: "2024-05-01", type: date}}
  detail: {link: a, fields: {title: h1, url: {page: url}}}
"""


def test_an_item_may_have_a_page_of_its_own(take):
    first, second = take(DETAILED, LIST).requests
    assert (first.url, first.callback) == ("https://example.org/1?x=1", "detail_Quote")
    assert first.cb_kwargs == {"found": {"id": "1", "n": "1", "day": "2024-05-01"}}
    assert second.url == "https://example.org/list/two/"


def test_its_fields_come_together(spider):
    made = spider("start: https://example.org/\n" + DETAILED)()
    page = response("https://example.org/1", "<h1>T</h1>")
    # Of a file that was edited since: what is no field any more is left out, what was none yet is missing.
    [item] = made.detail_Quote(page, {"id": "1", "n": "1", "day": "2024-05-01", "gone": 5})
    assert item.model_dump() == {"id": "1", "n": "1", "day": "2024-05-01", "title": "T", "url": "https://example.org/1"}
    assert (type(item).__name__, type(item).unique) == ("Quote", ("id", "title"))
    [item] = made.detail_Quote(page, {"id": "1", "n": "1"})
    assert str(item.problem).startswith("day: nothing matches the list page, where it had no such field when")


def test_an_item_without_its_page_is_told(take):
    text = "items: {each: div.q, fields: {id: {xpath: '@id'}}, detail: {link: 'a[href]', fields: {h: h1}}}"
    page = (
        "<div class=q id=1></div><div class=q id=2><a href='mailto:x'>x</a></div><div class=q><a href='/3'>3</a></div>"
    )
    taken = take(text, page)
    assert [str(error)[:60] for error in taken.errors[:1]] == ["detail.link: nothing matches 'a[href]'"]
    assert str(taken.errors[1]).startswith("detail.link: ")
    assert taken.errors[1].value == "mailto:x"
    assert str(taken.errors[2]) == "id: nothing matches '@id'"  # it is rejected at once, without its page
    assert taken.requests == []


JSON = '{"data": [{"id": 1, "more": "/d/1"}, null, {"id": 2, "more": "/d/2"}], "one": {"id": 3}}'


def test_items_of_json(take):
    text = "items: {each: {jmespath: data}, fields: {id: {jmespath: id}}}"
    # Whatever the media type: many an API says text/html.
    for kind in ("application/json", "text/html"):
        assert take(text, JSON, headers={"Content-Type": kind}).items == [{"id": 1}, {"id": 2}]
    assert take("items: {each: {jmespath: one}, fields: {id: {jmespath: id}}}", JSON).items == [{"id": 3}]
    assert take("items: {each: {jmespath: none}, fields: {id: {jmespath: id}}}", JSON).items == []
    assert take("items: {fields: {ids: {jmespath: 'data[].id'}, url: {page: url}}}", JSON).items == [
        {"ids": [1, 2], "url": "https://example.org/list/"}
    ]


def test_items_of_json_with_pages_of_json(take):
    text = """
    items:
      each: {jmespath: data}
      fields: {id: {jmespath: id}}
      detail: {link: {jmespath: more}, fields: {name: {jmespath: name}}}
    """
    assert [request.url for request in take(text, JSON).requests] == [
        "https://example.org/d/1",
        "https://example.org/d/2",
    ]
    [item] = load("it.yaml")().detail_Item(response("https://example.org/d/1", '{"name": "N"}'), {"id": 1})
    assert item.model_dump() == {"id": 1, "name": "N"}


def test_a_pattern_reads_the_source_of_what_an_item_stands_in(take):
    fields = "fields: {it: {regex: 'id\\W+(\\d)'}}"
    assert take(f"items: {{each: {{jmespath: data}}, {fields}}}", JSON).items == [{"it": "1"}, {"it": "2"}]
    assert take(f"items: {{each: div.q, {fields}}}", LIST).items == [{"it": "1"}, {"it": "2"}]
    assert take(f"items: {{{fields}}}", LIST).items == [{"it": "1"}]


def test_what_is_no_json_costs_the_page(take):
    with pytest.raises(ParseError, match="not JSON"):
        take("items: {each: {jmespath: data}, fields: {id: {jmespath: id}}}", "<p>")


def test_items_of_the_rows_of_a_csv(take):
    text = "items: {each: {jmespath: '@'}, fields: {name: {jmespath: name}, n: {jmespath: n, to: int}}}"
    taken = take(text, "name,n\nA,1\nB,2\n", headers={"Content-Type": "text/csv"})
    assert taken.items == [{"name": "A", "n": 1}, {"name": "B", "n": 2}]


FEED = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<entry><title>One</title><link href="/1"/><g:price>5</g:price></entry>
<entry><title>Two</title><link href="/2"/><g:price>6</g:price></entry></feed>"""
XML = {"Content-Type": "application/xml"}
BOTH = [
    {"title": "One", "url": "https://example.org/1", "price": 5},
    {"title": "Two", "url": "https://example.org/2", "price": 6},
]


def test_items_of_xml_an_element_at_a_time(take):
    text = """
    items:
      each: {tag: entry}
      fields: {title: title, url: {css: link, to: url}, price: {css: g|price, type: int}}
    namespaces: {g: "http://base.google.com/ns/1.0"}
    """
    assert take(text, FEED, headers=XML).items == BOTH


def test_items_of_xml_with_namespaces(take):
    text = """
    namespaces: {a: "http://www.w3.org/2005/Atom", shop: "http://base.google.com/ns/1.0"}
    items:
      each: a|entry
      fields: {title: a|title, url: {xpath: "a:link/@href", to: url}, price: {css: shop|price, type: int}}
    """
    assert take(text, FEED, headers=XML).items == BOTH


def test_what_a_server_calls_something_else_may_be_read_as_html_or_xml(take, spider):
    plain = {"Content-Type": "text/plain"}
    text = "items: {fields: {b: b}}\n"
    with pytest.raises(ParseError, match="needs an HTML or XML document"):
        take(text, "<b>x</b>", headers=plain)
    page = response("https://example.org/", "<b>x</b>", headers=plain)
    for language in ("html", "xml"):
        parse = spider(f"start: https://example.org/\nread_as: {language}\n{text}").parsers["*/*"]  # as a worker does
        assert parse(page).css("b::text").get() == "x"
