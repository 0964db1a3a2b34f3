"""Fields: where their values are found, what they go through, and what is said where they are not as they must be."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

PAGE = """
<html><head><title>A page</title></head><body>
<h1 class=t> The  <b>Hobbit</b> </h1><p class=price>£1,051.77</p><p class=stock>In stock (22 available)</p>
<i class="star Three"></i><img src="cover.jpg"><a href="/author/1">Author</a><em>fantasy</em><em> classic </em><em></em>
<time>3.1.1892</time><span class=no> </span><span class=ids>1, 2,,3</span>
<div class=author><b>Tolkien</b><i>1892</i></div><div class=author><b>Lewis</b></div>
<script id=data>{"offer": {"price": 5, "tags": ["x", "y"]}}</script>
</body></html>
"""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        # What is found
        ("h1", " The  Hobbit "),
        ('{css: "h1::text"}', " The  "),
        ("i::attr(class)", "star Three"),
        ('{xpath: "//time"}', "3.1.1892"),
        ('{xpath: "count(//em)"}', "3.0"),
        ("{css: em, all: true}", ["fantasy", " classic ", ""]),
        ("{css: td, all: true}", []),
        ("{css: p.stock, regex: '\\((\\d+) available'}", "22"),
        ("{css: p, regex: '\\d+', all: true}", ["1", "051", "77", "22"]),
        ("{css: em, regex: 'c.*c'}", "classic"),
        ("{regex: '<title>(.*)</title>'}", "A page"),
        ("{page: url}", "https://example.org/list/"),
        ("{page: status}", 200),
        ("{page: source, to: count_of}", None),
        ("{value: x}", "x"),
        ("{value: 5}", 5),
        ("{value: '{{x}}'}", "{x}"),
        # What becomes of it
        ("{css: h1, to: strip}", "The  Hobbit"),
        ("{css: h1, to: clean}", "The Hobbit"),
        ("{css: h1, to: html}", '<h1 class="t"> The  <b>Hobbit</b> </h1>'),
        ("{css: h1, to: [html, {regex: '<b>(.*)</b>'}, upper, lower]}", "hobbit"),
        ("{css: p.price, to: number}", 1051.77),
        ("{css: p.price, to: price}", Decimal("1051.77")),
        ("{css: p.price, to: price, type: float}", 1051.77),
        ("{css: p.stock, to: int}", 22),
        ("{css: time, to: {date: '%d.%m.%Y'}}", dt.date(1892, 1, 3)),
        ("{css: time, to: {datetime: '%d.%m.%Y'}}", dt.datetime.fromisoformat("1892-01-03")),
        ("{value: '2024-05-01', to: date}", dt.date(2024, 5, 1)),
        ("{css: img, to: url}", "https://example.org/list/cover.jpg"),
        ("{css: a, type: url}", "https://example.org/author/1"),
        ("{css: 'a, img', all: true, type: 'list[url]'}", ["https://example.org/list/cover.jpg", "https://example.org/author/1"]),
        ("{css: 'i::attr(class)', to: [{regex: 'star (\\w+)'}, {map: {One: 1, Three: 3}}]}", 3),
        ("{css: em, all: true, to: [strip, {join: ', '}]}", "fantasy, classic, "),
        ("{css: em, all: true, to: join}", "fantasy  classic  "),
        ("{css: em, all: true, to: [strip, first]}", "fantasy"),
        ("{css: em, all: true, to: count}", 3),
        ("{css: em, all: true, to: [{replace: {'.+': x}}, unique]}", ["x", ""]),
        ("{css: em, all: true, to: [join, clean, upper]}", "FANTASY CLASSIC"),
        ("{css: h1, to: {replace: {'\\s+': ' ', 'The (\\w+)': '<\\1>'}}}", " <Hobbit> "),
        ("{css: span.ids, to: {split: ','}}", ["1", "2", "3"]),
        ("{css: span.ids, to: {split: ','}, type: 'list[int]'}", [1, 2, 3]),
        ("{css: span.ids, to: [{split: ','}, count]}", 3),
        ("{css: script, to: {jmespath: offer.price}, type: int}", 5),
        ("{css: script, to: [{jmespath: offer.tags}, {join: '-'}]}", "x-y"),
        # Types
        ("{css: p.stock, regex: '\\d+', type: int}", 22),
        ("{css: span.ids, regex: '\\d+', all: true, type: 'list[float]'}", [1.0, 2.0, 3.0]),
        ("{value: '1.50', type: decimal}", Decimal("1.50")),
        ("{value: 'true', type: bool}", True),
        ("{value: '2024-05-01', type: date}", dt.date(2024, 5, 1)),
        ("{value: '2024-05-01T10:00:00', type: datetime}", dt.datetime.fromisoformat("2024-05-01T10:00")),
        ("{value: {a: 1}, type: object}", {"a": 1}),
        ("{value: [a], type: list}", ["a"]),
        ("{css: h1, type: any}", " The  Hobbit "),
        # Nothing there
        ("{css: td, default: none yet}", "none yet"),
        ("{css: td, default: null}", None),
        ("{css: td, required: false}", None),
        ("{css: td, all: true, default: [x]}", ["x"]),
        ("{css: span.no, to: number, default: 0}", 0),
        ("{css: h1, regex: '\\d+', default: 0}", 0),
        ("{css: script, to: {jmespath: offer.none}, default: 0}", 0),
        # Items within
        ("{css: div.author, fields: {name: b, born: {css: i, type: int}}}", {"name": "Tolkien", "born": 1892}),
        (
            "{css: div.author, all: true, fields: {name: b, born: {css: i, required: false}}}",
            [{"name": "Tolkien", "born": "1892"}, {"name": "Lewis", "born": None}],
        ),
        ("{css: td, required: false, fields: {name: b}}", None),
    ],
)  # fmt: skip
def test_a_field_is(field, written, value):
    if value is None and "count_of" in written:
        written, value = "{page: source}", PAGE
    came = field(written, PAGE)
    if hasattr(came, "model_dump"):
        came = came.model_dump()
    if isinstance(came, list):
        came = [one.model_dump() if hasattr(one, "model_dump") else one for one in came]
    assert (came, type(came)) == (value, type(value))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("td", "it: nothing matches 'td'"),
        ("{css: td, all: true, required: true}", "it: nothing matches"),
        ("{css: h1, to: int}", "it: int() can't read ' The  Hobbit ': ValueError: there is no number in it"),
        ("{css: h1, type: int}", "it: int() can't read ' The  Hobbit ': ValidationError: Expected `int`, got `str`"),
        ("{css: em, all: true, type: 'list[int]'}", "it: list[int]() can't read ['fantasy', ' classic ', '']: "),
        ("{css: em, all: true, to: int}", "it[0]: int() can't read 'fantasy'"),
        ("{css: em, to: {map: {a: 1}}}", "it: map() can't read 'fantasy': ValueError: it is none of a"),
        ("{value: 'mailto:x', type: url}", "it: url() can't read 'mailto:x': ValueError: "),
        ("{value: 5, type: url}", "it: url() can't read 5: TypeError: it is no text"),
        ("{value: [5], type: 'list[url]'}", "it: list[url]() can't read [5]: TypeError"),
        ("{value: x, type: 'list[url]'}", "it.value"),
        ("{css: h1, to: {jmespath: a}}", "it: jmespath() can't read ' The  Hobbit ': DecodeError"),
        ("{css: script, to: {jmespath: 'abs(offer.tags)'}}", "it: jmespath() can't read "),
        ("{css: script, to: [{jmespath: offer.price}, join]}", "it: join() can't read 5: TypeError: it is no list"),
        ("{xpath: '//em[nowhere(.)]'}", "it: XPath '//em[nowhere(.)]' failed: Unregistered function"),
        ("{css: div.author, all: true, fields: {born: {css: i, type: int}}}", "it[1].born: nothing matches 'i'"),
        ("{css: div.author, fields: {born: {css: b, type: int}}}", "it.born: int() can't read 'Tolkien'"),
    ],
)
def test_a_field_that_is_not_as_it_must_be_says_why(field, written, message):
    if message == "it.value":
        message = "it: list[url]() can't read 'x': TypeError: it is no list"
    assert field(written, PAGE).startswith(message)


JSON = b"""{"name": " A ", "price": 5, "rate": 2.5, "ok": true, "none": null, "tags": ["a", null, "b"], "text": "7",
"author": {"name": "Ann", "books": [{"t": "x"}, {"t": null}]}, "path": "/p/1", "html": "<b>1</b>"}"""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{jmespath: name, to: strip}", "A"),
        ("{jmespath: price}", 5),
        ("{jmespath: price, type: float}", 5.0),
        ("{jmespath: price, to: price}", Decimal(5)),
        ("{jmespath: rate, type: decimal}", Decimal("2.5")),
        ("{jmespath: ok}", True),
        ("{jmespath: none, default: x}", "x"),
        ("{jmespath: nowhere, required: false}", None),
        ("{jmespath: tags}", ["a", None, "b"]),
        ("{jmespath: tags, all: true}", ["a", "b"]),
        ("{jmespath: tags, all: true, to: {join: +}}", "a+b"),
        ("{jmespath: tags, to: first}", "a"),
        ('{jmespath: "[tags, ok, `1`, tags, author, author, ok]", to: [unique, count]}', 4),
        ("{jmespath: name, all: true, to: strip}", ["A"]),
        ("{jmespath: text, type: int}", 7),
        ("{jmespath: author.name}", "Ann"),
        ("{jmespath: \"join(', ', [name, path])\"}", " A , /p/1"),
        ("{jmespath: path, to: url}", "https://example.org/p/1"),
        ("{jmespath: html, regex: '\\d'}", "1"),
        ("{jmespath: ok, regex: '.*'}", "true"),
        ('{jmespath: author, regex: \'"name": "(\\w+)"\'}', "Ann"),
        ("{jmespath: author, fields: {name: {jmespath: name}}}", {"name": "Ann"}),
        (
            "{jmespath: author.books, all: true, fields: {t: {jmespath: t, default: '?'}}}",
            [{"t": "x"}, {"t": "?"}],
        ),
    ],
)
def test_a_field_of_json_is(field, written, value):
    came = field(written, JSON, headers={"Content-Type": "application/json"})
    if hasattr(came, "model_dump"):
        came = came.model_dump()
    if isinstance(came, list):
        came = [one.model_dump() if hasattr(one, "model_dump") else one for one in came]
    assert (came, type(came)) == (value, type(value))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{jmespath: none}", "it: nothing matches 'none'"),
        ("{jmespath: name, type: int}", "it: int() can't read ' A '"),
        ("{jmespath: ok, to: number}", "it: number() can't read True"),
        ("{jmespath: 'abs(name)'}", "it: 'abs(name)': In function abs(), invalid type for value"),
    ],
)
def test_a_field_of_json_that_is_not_as_it_must_be_says_why(field, written, message):
    assert field(written, JSON, headers={"Content-Type": "application/json"}).startswith(message)


def test_an_argument_may_be_a_value(field, take):
    text = "arguments: {shelf: top}\nitems: {fields: {it: {value: 'on the {shelf}'}, n: {css: b, fields: {s: {value: '{shelf}'}}}}}"
    taken = take(text, "<b>", shelf="low")
    assert taken.items[0]["it"] == "on the low"
    assert taken.items[0]["n"].s == "low"
