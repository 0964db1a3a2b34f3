"""Where a page leads: the next page by a link, a value, a count; other links to other kinds of page."""

from __future__ import annotations

import pytest

from scrapekit.testing import response

URL = "https://example.org/list/"
ITEMS = "items: {each: b, fields: {t: '::text'}}\n"


def urls(taken):
    return [request.url for request in taken.requests]


@pytest.mark.parametrize(
    ("written", "body", "expected"),
    [
        ("next: a.n", "<a class=n href='2'>2</a><a href='3'>3</a>", ["https://example.org/list/2"]),
        ("next: a.n", "<p>", []),
        ("next: {xpath: '//a/@href'}", "<a href='?p=2'>2</a><a href='?p=2'>2</a>", ["https://example.org/list/?p=2"]),
        ("next: {css: '::attr(data-url)'}", "<p data-url=' /x '>", ["https://example.org/x"]),
        ("next: {regex: 'next=(\\S+);'}", "<script>next=/p/2; next=/p/3;</script>", ["https://example.org/p/2", "https://example.org/p/3"]),
        ("next: {css: a, regex: '\\d+', parameter: page}", "<a>page 5</a>", ["https://example.org/list/?page=5"]),
        ("next: {jmespath: next}", '{"next": "/api?c=2"}', ["https://example.org/api?c=2"]),
        ("next: {jmespath: next}", '{"next": null}', []),
        ("next: {jmespath: next, parameter: cursor}", '{"next": "a b&c"}', ["https://example.org/list/?cursor=a+b%26c"]),
        ("next: {jmespath: next, parameter: cursor}", '{"next": ""}', []),
        ("next: {jmespath: next, parameter: cursor}", '{"next": false}', []),
        ("next: {jmespath: next, parameter: offset}", '{"next": 20}', ["https://example.org/list/?offset=20"]),
        ("next: {jmespath: 'links[]'}", '{"links": ["/1", "/2"]}', ["https://example.org/1", "https://example.org/2"]),
        ("next: {jmespath: next, template: '/api/{value}/'}", '{"next": 7}', ["https://example.org/api/7/"]),
        ("next: a", "<a href='mailto:x'>x</a><a href='javascript:x'>y</a>", []),
        ("next: {rel: next}", "<link rel='prev next' href=2><a rel=next href=2>2</a>", ["https://example.org/list/2"]),
        ("next: {rel: next}", "<a rel=nextone href=2>2</a>", []),
    ],
)  # fmt: skip
def test_the_next_page_is_found(take, written, body, expected):
    taken = take(written, body)
    assert urls(taken) == expected
    assert all(request.callback is None and request.cb_kwargs == {} for request in taken.requests)


def test_the_next_page_may_stand_in_a_header(take):
    link = '<https://example.org/list/?p=2>; rel="next", </list/?p=9>; rel=last'
    headers = {"Content-Type": "application/json", "Link": link}
    assert urls(take("next: {rel: next}", "{}", headers=headers)) == ["https://example.org/list/?p=2"]


def test_a_link_in_an_api_keeps_the_other_parameters(take):
    taken = take("next: {jmespath: n, parameter: page}", '{"n": 3}', url=f"{URL}?page=2&sort=a")
    assert urls(taken) == [f"{URL}?page=3&sort=a"]


def counted(made, url, body="<b>x</b>", **arguments):
    [*_, last] = [None, *made.parse(response(url, body), **arguments)]
    return (last.url, last.cb_kwargs["number"]) if hasattr(last, "cb_kwargs") else None


@pytest.mark.parametrize(
    ("written", "numbers", "last"),
    [
        ("next: {parameter: page}", [("?page=2", 2), ("?page=3", 3)], None),
        ("next: {parameter: page, from: 0}", [("?page=1", 1), ("?page=2", 2)], None),
        ("next: {parameter: offset, from: 0, step: 20}", [("?offset=20", 20), ("?offset=40", 40)], None),
        ("next: {template: 'page/{page}/'}", [("page/2/", 2)], None),
        ("next: {parameter: page, until: 3}", [("?page=2", 2), ("?page=3", 3)], 3),
        ("next: {parameter: page, until: empty}", [("?page=2", 2)], None),
    ],
)
def test_pages_are_counted(spider, written, numbers, last):
    made = spider(f"start: {URL}\n{ITEMS}{written}")()
    url, number = URL, None
    for target, following in numbers:
        assert counted(made, URL, number=number) == (URL + target, following)
        url, number = URL + target, following
    assert (counted(made, url, number=number) is None) == (number == last)


def test_counting_ends_with_an_empty_page(spider):
    for until in ("empty", "100"):
        made = spider(f"start: {URL}\n{ITEMS}next: {{parameter: page, until: {until}}}")()
        assert counted(made, URL, "<p>nothing</p>") is None
    # An item that is rejected is no end, nor are links.
    made = spider(f"start: {URL}\nitems: {{each: b, fields: {{t: i}}}}\nlinks: a\nnext: {{parameter: page}}")()
    assert counted(made, URL) == (f"{URL}?page=2", 2)
    assert counted(made, URL, "<a href=x>x</a>") == (f"{URL}?page=2", 2)


@pytest.mark.parametrize(
    ("written", "same", "other"),
    [
        (ITEMS, "<p>1</p><b>x</b><b>y</b>", "<p>2</p><b>x</b><b>z</b>"),
        ("items: {fields: {t: b}}\n", "<b>x</b>", "<b>x</b><p>2</p>"),
        ("links: a\n", "<a href=x>1</a>", "<a href=y>1</a>"),
        ("items: {each: {jmespath: rows}, fields: {t: {jmespath: id}}}\n", '{"rows": [1], "a": 1}', '{"rows": [2]}'),
    ],
    ids=["elements", "the page", "links", "JSON"],
)
def test_counting_ends_with_a_page_that_comes_again(spider, written, same, other):
    made = spider(f"start: {URL}\n{written}next: {{parameter: page}}")()

    def following(body, **arguments):
        *_, last = [None, *made.parse(response(URL, body), **arguments)]
        return last.cb_kwargs if "number" in getattr(last, "cb_kwargs", {}) else None

    second = following(same)
    assert second["number"] == 2
    assert following(other, **second)["number"] == 3
    assert following(same.replace("1</p>", "2</p>"), **second) is None
    assert following(same, number=2)["number"] == 3  # of a request that an older version has left


def test_arguments_stand_in_templates(spider):
    made = spider(f"""
        arguments: {{tag: red}}
        start: "{URL}{{tag}}/"
        {ITEMS.strip()}
        next: {{template: "{URL}{{tag}}/{{page}}/"}}
        """)
    assert counted(made(tag="blue"), f"{URL}blue/") == (f"{URL}blue/2/", 2)


def test_counting_goes_on_over_a_whole_crawl(spider, site, crawl):
    for number in (1, 2, 3):
        site.pages[f"/?page={number}"] = "<b>x</b>" * number
    site.pages["/?page=4"] = "<p>the end</p>"
    made = spider("arguments: {url: null}\nstart: '{url}/?page=1'\n" + ITEMS + "next: {parameter: page}")
    crawled = crawl(made, url=site.url)
    assert len(crawled.items) == 6
    assert crawled.hits == {f"/?page={number}": 1 for number in (1, 2, 3, 4)}


LINKS = """
<nav><a href=/tag/a>a</a><a href=/tag/b>b</a><a href=/tag/a>again</a></nav>
<a href=/book/1>1</a> <a href=/book/2.pdf>2</a> <a rel=nofollow href=/tag/c>c</a> <a href="mailto:x">x</a>
"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("links: nav a", ["/tag/a", "/tag/b"]),
        ("links: {xpath: '//nav/a/@href'}", ["/tag/a", "/tag/b"]),
        ("links: {css: a, allow: /tag/}", ["/tag/a", "/tag/b", "/tag/c"]),
        ("links: {css: a, deny: [a$, b$, c$]}", ["/book/1"]),  # a PDF has no links in it
        ("links: {regex: 'href=(/book/\\d)>'}", ["/book/1"]),
        ("links: {allow: [a$, b$]}", ["/tag/a", "/tag/b"]),
        ("links: {deny: /tag/}", ["/book/1"]),
        ("links: [{allow: a$}, {css: a, allow: b$}]", ["/tag/a", "/tag/b"]),
        ("links: {allow: /tag/}", ["/tag/a", "/tag/b", "/tag/c"]),
        ("links: {allow: /tag/}\nobeys: nofollow", ["/tag/a", "/tag/b"]),
    ],
)
def test_links_are_followed(take, written, expected):
    assert urls(take(written, LINKS)) == [f"https://example.org{path}" for path in expected]


def test_links_of_json(take):
    taken = take("links: {jmespath: 'pages[].url'}", '{"pages": [{"url": "/1"}, {"url": "/2"}]}')
    assert urls(taken) == ["https://example.org/1", "https://example.org/2"]


def test_links_lead_to_a_kind_of_page(take):
    taken = take("links: {css: nav a, to: tag}\npages: {tag: {items: {fields: {t: h1}}, next: a}}", LINKS)
    assert {request.callback for request in taken.requests} == {"page_tag"}
    # Its next page is one of its kind.
    taken = take(
        "links: {css: nav a, to: tag}\npages: {tag: {items: {fields: {t: h1}}, next: a}}",
        "<h1>T</h1><a href=2>2</a>",
        method="page_tag",
    )
    assert taken.items == [{"t": "T"}]
    assert [(request.url, request.callback) for request in taken.requests] == [(f"{URL}2", "page_tag")]
