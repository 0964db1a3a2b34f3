import gc

import attrs
import pytest

from scrapekit.errors import CallbackError, RequestInvalid, StopCrawl
from scrapekit.fleet.callbacks import Callbacks, Harvest
from scrapekit.fleet.pipelines import Pipelines
from scrapekit.messages import Request
from scrapekit.spider import Spider


class Sample(Spider):
    xyzzy = 5

    def parse(self, response):
        """The default."""

    def parse_product(self, response):
        pass

    def _private(self, response):
        pass


@attrs.define
class Product:
    name: str


A = Request("http://a.test/")
ITEM = {"n": 1}


def harvest(produce):
    found = Harvest(Callbacks(Sample()), Pipelines([]), "http://x/1")
    found.take(produce)
    done = found.finish()
    return done.items, [link.url for link in done.links], done.stop


def generator():
    yield ITEM
    yield A
    yield None


@pytest.mark.parametrize(
    ("produce", "items", "links"),
    [
        (lambda: None, 0, 0),
        (generator, 1, 1),
        (lambda: [ITEM, A, ITEM], 2, 1),
        (lambda: (ITEM,), 1, 0),
        (lambda: iter([A, A]), 0, 2),
        (lambda: {1: "a dict is one item"}, 1, 0),
        (lambda: Product("x"), 1, 0),
        (lambda: [Product("x")], 1, 0),
        (lambda: A, 0, 1),
        (list, 0, 0),
        (lambda: (x for x in ()), 0, 0),
    ],
)
def test_a_callback_may_return_or_yield_items_and_requests(produce, items, links):
    found = harvest(produce)
    assert (len(found[0]), len(found[1]), found[2]) == (items, links, None)


async def coroutine():
    return ITEM


async def asynchronous():
    yield ITEM


@pytest.mark.parametrize(
    ("produce", "said"),
    [
        (lambda: "text", "not str: 'text'"),
        (lambda: b"bytes", "not bytes: b'bytes'"),
        (lambda: 5, "not int: 5"),
        (lambda: ["text"], "not str: 'text'"),
        (lambda: [[ITEM]], "not list: "),
        (lambda: [5], "not int: 5"),
        (coroutine, "a coroutine: callbacks are plain functions"),
        (asynchronous, "a coroutine: callbacks are plain functions"),
        (lambda: [coroutine()], "a coroutine: callbacks are plain functions"),
        (lambda: ["x" * 1000], "not str: 'xxx"),
    ],
)
def test_what_is_neither_is_an_error_that_says_what_it_is(produce, said):
    with pytest.raises(CallbackError, match="must yield items and requests") as caught:
        harvest(produce)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200
    gc.collect()  # a coroutine that was never awaited would warn here


def test_stop_crawl_keeps_what_came_before():
    def produce():
        yield ITEM
        raise StopCrawl("enough")

    assert harvest(produce) == ([b'{"n":1}'], [], "enough")


def test_stop_crawl_without_a_reason_is_one():
    def produce():
        raise StopCrawl

    assert harvest(produce)[2] == "StopCrawl"


def test_what_the_callback_raises_passes_through():
    def produce():
        yield ITEM
        raise KeyError("x")

    with pytest.raises(KeyError):
        harvest(produce)


@pytest.fixture
def callbacks():
    return Callbacks(Sample())


def test_callbacks_are_found_by_name(callbacks):
    spider = callbacks._spider
    assert callbacks.find(None) == spider.parse
    assert callbacks.find("parse_product") == callbacks.find("parse_product") == spider.parse_product
    assert callbacks.find("_private") == spider._private


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("parse_prodct", "; did you mean 'parse_product'?"),
        ("xyzzy", ""),
        ("__init__", ""),
        ("__class__", ""),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_an_unknown_callback_is_refused_with_a_suggestion(callbacks, name, hint):
    with pytest.raises(RequestInvalid) as caught:
        callbacks.find(name)
    assert str(caught.value) == f"unknown callback {name!r}: spider 'sample' has no such method{hint}"


@pytest.mark.parametrize("arguments", [{"callback": "parse_prodct"}, {"errback": "parse_prodct"}])
def test_a_request_with_an_unknown_callback_is_refused_with_its_url(callbacks, arguments):
    with pytest.raises(RequestInvalid, match=r"did you mean 'parse_product'\? \(request to http://a.test/\)"):
        callbacks.check(Request("http://a.test/", **arguments))


def test_a_request_with_known_callbacks_is_fine(callbacks):
    for _ in range(2):
        callbacks.check(Request("http://a.test/", "parse_product", errback="_private"))
