from __future__ import annotations

import threading

import pytest

from scrapekit.parse import HtmlDocument, queries


def test_css_is_translated_for_the_language():
    assert queries._translate("css", "DIV::attr(Href)", "html") == "descendant-or-self::div/@href"
    assert queries._translate("css", "Div::attr(Href)", "xml") == "descendant-or-self::Div/@Href"
    assert queries._translate("css", "h1, h2::text", "html") == "descendant-or-self::h1 | descendant-or-self::h2/text()"


@pytest.fixture
def compiled(monkeypatch):
    """How often a query was compiled, in the order of compiling."""
    calls = []
    compile_ = queries._compile
    monkeypatch.setattr(queries, "_compile", lambda *args: calls.append(args[0]) or compile_(*args))
    queries._thread.compiled.clear()
    return calls


def test_a_query_is_compiled_once_a_thread(compiled):
    def use():
        for _ in range(3):
            assert HtmlDocument("<p>x").css("p::text").get() == "x"

    use()
    other = threading.Thread(target=use)
    other.start()
    other.join()
    assert compiled == ["descendant-or-self::p/text()"] * 2


def test_what_is_compiled_is_bounded(compiled):
    doc = HtmlDocument("<p>x")
    for number in range(queries._COMPILED_LIMIT + 100):
        assert not doc.xpath(f"//p[@id='{number}']")
    assert len(queries._thread.compiled) == 100
    assert doc.css("p::text").get() == "x"


def test_the_prefixes_are_part_of_the_query(compiled):
    doc = HtmlDocument("<p>x")
    assert not doc.xpath("//k:p", namespaces={"k": "u"})
    assert not doc.xpath("//k:p", namespaces={"k": "v"})
    assert not doc.xpath("//k:p", namespaces={"k": "u"})
    assert len(compiled) == 2


def test_documents_of_several_threads_are_queried_at_once():
    start = threading.Barrier(4)
    failures = []

    def work(name: str) -> None:
        start.wait()
        for number in range(200):
            doc = HtmlDocument(f"<p>{name}{number}</p><a href=/{name}>")
            got = doc.css("p::text").get(), doc.css("a::attr(href)").getall(), doc.xpath("//p[has-class('x')]").getall()
            if got != (f"{name}{number}", [f"/{name}"], []):
                failures.append(got)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
