from __future__ import annotations

import threading
from importlib.metadata import EntryPoint

import pytest

from scrapekit.errors import ParseError, SpiderError
from scrapekit.parse import HtmlDocument, Parsers, registry


def named(name):
    return lambda _response: name


def installed(**plugins):
    """Entry points as a package would declare them."""
    return lambda: {
        name: EntryPoint(name, value, registry.GROUP)
        for name, value in ((key.replace("__", "/").replace("ANY", "*"), value) for key, value in plugins.items())
    }


def test_the_spiders_own_parser_goes_first_and_the_most_special_of_them(respond):
    parsers = Parsers({"text/html": named("exact"), "text/*": named("text"), "*/*": named("any")})
    assert respond("<p>", "text/html; charset=utf-8", parse=parsers).doc == "exact"
    assert respond("<p>", "text/xml", parse=parsers).doc == "text"
    assert respond("<p>", "application/json", parse=parsers).doc == "any"


def test_what_has_no_own_parser_gets_a_built_in_one(respond):
    parsers = Parsers({"application/pdf": named("own")})
    assert type(respond("<p>", "text/html", parse=parsers).doc) is HtmlDocument
    assert respond("x", "application/PDF", parse=parsers).doc == "own"


def test_an_own_parser_may_yield_items_and_may_raise(respond):
    def items(response):
        yield from response.json()

    def broken(_response):
        raise KeyError("price")

    parsers = Parsers({"application/json": items, "text/html": broken})
    assert list(respond("[1, 2]", "application/json", parse=parsers).doc) == [1, 2]
    with pytest.raises(ParseError, match="KeyError: 'price'"):
        assert respond("<p>", "text/html", parse=parsers).doc


@pytest.mark.parametrize("content_type", [None, "", "html", "text/", "unknown"])
def test_without_a_media_type_the_first_bytes_decide(respond, content_type):
    assert respond("<!doctype html><p>x", content_type).css("p::text").get() == "x"
    assert respond('{"a": 1}', content_type).doc == {"a": 1}
    assert respond("<?xml version='1.0'?><r><A/></r>", content_type).css("A").get() == "<A/>"
    assert respond("hello", content_type).doc == "hello"
    assert respond(b"\0\1", content_type).doc == b"\0\1"


def test_a_sniffed_type_finds_the_spiders_own_parser(respond):
    assert respond("<!doctype html>", parse=Parsers({"text/html": named("own")})).doc == "own"


def test_an_installed_parser_goes_before_the_built_in_ones(respond):
    parsers = Parsers({}, installed(text__html="builtins:repr", image__ANY="builtins:str"))
    assert respond("<p>", "text/html", parse=parsers).doc.startswith("<Response 200")
    assert respond("x", "image/png", parse=parsers).doc.startswith("<Response 200")
    assert respond("x", "text/plain", parse=parsers).doc == "x"


def test_installed_parsers_are_not_looked_for_when_an_own_one_fits(respond):
    def fail():
        raise AssertionError

    assert respond("<p>", "text/html", parse=Parsers({"*/*": named("own")}, fail)).doc == "own"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:parse", "can't be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("builtins:no_such_name", "can't be loaded: AttributeError"),
        ("sys:path", "is not a function but list"),
    ],
)
def test_an_installed_parser_that_fails_to_load_is_named(respond, value, reason):
    parsers = Parsers({}, installed(text__html=value))
    for _ in range(2):
        with pytest.raises(ParseError) as caught:
            assert respond("<p>", "text/html", parse=parsers).doc
        assert str(caught.value).startswith(f"the parser for text/html of package ? ({value}) {reason}")


def test_installed_parsers_are_found_by_their_entry_points(respond, tmp_path, monkeypatch):
    package = tmp_path / "acme_pdf-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-pdf\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[scrapekit.parsers]\napplication/PDF = acme_pdf:parse\nimage/png = acme_missing:parse\n"
    )
    (tmp_path / "acme_pdf.py").write_text("def parse(response):\n    return ['pdf', response.body]\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry._installed.cache_clear()
    try:
        assert respond(b"%PDF", "application/pdf").doc == ["pdf", b"%PDF"]
        with pytest.raises(ParseError, match=r"image/png of package acme-pdf \(acme_missing:parse\) can't be loaded"):
            assert respond(b"", "image/png").doc
    finally:
        registry._installed.cache_clear()


@pytest.mark.parametrize(
    "name", ["html", "text/", "/html", "*", "*/html", "text/html; charset=utf-8", "text html", "", 3]
)
def test_a_key_that_is_no_media_type_is_refused(name):
    with pytest.raises(SpiderError, match=r'is not a media type such as "text/html"'):
        Parsers({name: named("x")})


def test_a_parser_that_cannot_be_called_is_refused():
    with pytest.raises(SpiderError, match="that for 'text/html' must be a function of a response, not str"):
        Parsers({"text/html": "my_parser"})


def test_keys_have_no_case(respond):
    assert respond("x", "text/x-thing", parse=Parsers({"Text/X-Thing": named("own")})).doc == "own"


def test_media_types_are_remembered_but_not_without_end(respond):
    parsers = Parsers()
    for number in range(registry._MEMO_LIMIT + 10):
        assert respond("x", f"text/x-{number}", parse=parsers).doc == "x"
    assert len(parsers._memo) == 10


def test_any_thread_may_call_it(respond):
    parsers = Parsers({"text/x-own": named("own")})
    kinds = [("text/html", HtmlDocument), ("text/plain", str), ("application/json", int), ("text/x-own", str)]
    start = threading.Barrier(4)
    wrong = []

    def work() -> None:
        start.wait()
        wrong.extend(kind for kind, made in kinds * 50 if type(respond("1", kind, parse=parsers).doc) is not made)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
