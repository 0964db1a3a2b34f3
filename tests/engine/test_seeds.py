from queue import SimpleQueue
from threading import Event

import pytest

from scrapekit.engine import SeedThread
from scrapekit.errors import RequestInvalid, SpiderError
from scrapekit.messages import Request


class Seeds:
    """A SeedThread and what it posts."""

    def __init__(self, start, *, skip=0, check=lambda request: None):
        self.posts = SimpleQueue()
        self.thread = SeedThread(start, skip=skip, check=check, post=self.posts.put)

    def next(self):
        return self.posts.get(timeout=10)

    def urls(self, count):
        self.thread.ask(count)
        return [self.next().links[0].url for _ in range(count)]


@pytest.fixture
def make():
    made = []

    def make(*args, **options):
        made.append(Seeds(*args, **options))
        return made[-1]

    yield make
    for seeds in made:
        seeds.thread.close()
        assert not seeds.thread._thread.is_alive()


def requests(count):
    return lambda: (Request(f"http://a.test/{n}") for n in range(count))


def test_so_many_requests_come_as_were_asked_for_then_the_end(make):
    seeds = make(requests(3))
    assert seeds.urls(2) == ["http://a.test/0", "http://a.test/1"]
    assert seeds.posts.empty()
    seeds.thread.ask(2)
    assert seeds.next().links[0].url == "http://a.test/2"
    end = seeds.next()
    assert (end.links, end.exhausted, end.error) == ([], True, None)


def test_those_that_an_earlier_run_took_are_left(make):
    assert make(requests(5), skip=3).urls(1) == ["http://a.test/3"]
    short = make(requests(2), skip=9)
    end = short.next()
    assert end.exhausted
    assert end.error == (
        "start() ended after 2 requests, and the job has taken 9: it must yield the same requests again"
    )


def test_one_that_comes_late_keeps_none_before_it_waiting(make):
    late = Event()

    def start():
        yield Request("http://a.test/0")
        yield Request("http://a.test/1")
        late.wait(10)
        yield Request("http://a.test/2")

    seeds = make(start)
    seeds.thread.ask(3)
    assert seeds.next().links[0].url == "http://a.test/0"
    late.set()
    assert [seeds.next().links[0].url for _ in range(2)] == ["http://a.test/1", "http://a.test/2"]


class Mean(Exception):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("two\nlines"), "start() raised ValueError: two lines"),
        (SystemExit(3), "start() raised SystemExit: 3"),
        (KeyboardInterrupt(), "start() raised KeyboardInterrupt: "),
        (Mean(), "start() raised Mean: (ValueError in its __str__)"),
    ],
)
def test_whatever_start_raises_is_the_end_and_said_with_its_place(make, error, said, caplog):
    def start():
        yield Request("http://a.test/0")
        yield Request("http://a.test/1")
        raise error

    seeds = make(start)
    seeds.thread.ask(5)
    assert seeds.next().links[0].url == "http://a.test/0"
    end = seeds.next()
    while not end.exhausted:
        end = seeds.next()
    assert end.error == said
    (place,) = [record for record in caplog.records if getattr(record, "event", "") == "traceback"]
    assert "test_seeds.py" in place.getMessage()
    assert "    raise error" in place.getMessage()
    seeds.thread.await_first()


@pytest.mark.parametrize("garbage", [None, 5, "http://a.test/", {"url": 1}, [Request("http://a.test/")]])
def test_what_is_no_request_is_a_mistake_in_the_spider(make, garbage):
    seeds = make(lambda: iter([Request("http://a.test/0"), Request("http://a.test/1"), garbage]))
    seeds.thread.ask(5)
    seeds.next()
    end = seeds.next()
    while not end.exhausted:
        end = seeds.next()
    assert "must yield Request objects" in end.error


def test_a_first_request_that_can_not_be_is_known_before_the_crawl_begins(make):
    seeds = make(lambda: iter([5]))
    with pytest.raises(SpiderError, match="must yield Request objects, not 5"):
        seeds.thread.await_first()


def test_a_request_with_an_unknown_callback_is_a_mistake_too(make):
    def check(request):
        raise RequestInvalid("unknown callback 'prase'")

    with pytest.raises(SpiderError, match="prase"):
        make(requests(1), check=check).thread.await_first()


def test_start_that_returns_nothing_says_so(make):
    seeds = make(lambda: None)
    assert "TypeError" in seeds.next().error


def test_an_endless_start_is_pulled_no_further_than_asked_and_ends_when_closed(make):
    pulled = []

    def start():
        while True:
            pulled.append(1)
            yield Request("http://a.test/")

    seeds = make(start)
    seeds.urls(10)
    seeds.thread.close()
    assert len(pulled) <= 11


def test_closing_ends_a_long_ask(make):
    first = Event()
    go = Event()

    def start():
        for n in range(10):
            if n == 2:
                first.set()
                go.wait(10)
            yield Request(f"http://a.test/{n}")

    seeds = make(start)
    seeds.thread.ask(1000)
    assert first.wait(10)
    seeds.thread._closed = True
    go.set()
    seeds.thread.close()
    assert not seeds.thread._thread.is_alive()
    assert seeds.posts.qsize() < 4


def test_closing_ends_the_skipping(make):
    begun, go = Event(), Event()

    def start():
        begun.set()
        go.wait(10)
        yield from requests(100)()

    seeds = make(start, skip=50)
    assert begun.wait(10)
    seeds.thread._closed = True
    go.set()
    seeds.thread.close()
    assert seeds.posts.empty()


def test_a_spider_that_can_not_start_says_why(make):
    def start():
        raise SpiderError("urls.txt: No such file")
        yield

    seeds = make(start)
    with pytest.raises(SpiderError, match="^urls.txt: No such file$"):
        seeds.thread.await_first()
