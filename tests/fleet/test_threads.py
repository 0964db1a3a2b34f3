import threading
from concurrent.futures import thread as executors
from queue import SimpleQueue
from threading import Barrier, Event

import pytest

from scrapekit.fleet import ThreadFleet, threads
from scrapekit.messages import Lease, Request
from scrapekit.spider import Spider
from scrapekit.testing import SimulatedPage, SimulatedWeb

A = "http://a.test/"


def names():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("scrapekit")]


@pytest.fixture
def make():
    fleets = []

    def make(spider, workers=4):
        posts = SimpleQueue()
        fleet = ThreadFleet(SimulatedWeb({A: SimulatedPage()}).worker(spider), workers, posts.put)
        fleets.append(fleet)
        return fleet, posts

    yield make
    for fleet in fleets:
        fleet.close(10)
    assert names() == []


def lease(number, callback=None):
    return Lease(number, Request(A, callback), "a.test")


class Items(Spider):
    def parse(self, response):
        yield {"thread": threading.current_thread().name}

    def exits(self, response):
        raise SystemExit

    def interrupts(self, response):
        raise KeyboardInterrupt


def test_each_lease_has_one_outcome(make):
    fleet, posts = make(Items())
    assert fleet.capacity == 4
    for number in range(1, 101):
        fleet.submit(lease(number))
    assert sorted(posts.get(timeout=10).id for _ in range(100)) == list(range(1, 101))


def test_the_workers_work_at_the_same_time(make):
    together = Barrier(4)

    class Meeting(Spider):
        def parse(self, response):
            together.wait(10)

    fleet, posts = make(Meeting())
    for number in range(1, 9):
        fleet.submit(lease(number))
    assert [type(posts.get(timeout=10)).__name__ for _ in range(8)] == ["Fetched"] * 8


@pytest.mark.parametrize("callback", ["exits", "interrupts"])
def test_a_worker_survives_whatever_a_callback_raises(make, callback):
    fleet, posts = make(Items(), workers=1)
    for number in (1, 2):
        fleet.submit(lease(number, callback))
    fleet.submit(lease(3))
    assert [posts.get(timeout=10).id for _ in range(3)] == [1, 2, 3]


def test_closing_ends_the_threads_and_their_pipelines(make):
    log = []

    class Pipeline:
        def __init__(self):
            log.append("open")

        def process(self, item):
            return item

        def close(self):
            log.append("close")

    class Piped(Items):
        pipelines = (Pipeline,)

    fleet, posts = make(Piped())
    for number in range(1, 50):
        fleet.submit(lease(number))
    for _ in range(49):
        posts.get(timeout=10)
    fleet.close(10)
    fleet.close(10)
    assert names() == []
    assert log.count("open") == log.count("close") >= 1


def test_closing_waits_for_what_is_in_hand_no_longer_than_it_may(make):
    begun, go = Event(), Event()

    class Slow(Spider):
        def parse(self, response):
            begun.set()
            go.wait(30)

    fleet, posts = make(Slow(), workers=1)
    fleet.submit(lease(1))
    fleet.submit(lease(2))
    assert begun.wait(10)
    fleet.close(0.0)
    assert names() != []
    go.set()
    fleet.close(10)
    assert names() == []
    assert posts.get(timeout=10).id == 1
    assert posts.empty()  # what nobody had begun with is not done any more


class Later:
    """False at first, then true."""

    looks = 0

    def __bool__(self):
        self.looks += 1
        return self.looks > 5


def test_the_exit_of_the_interpreter_ends_the_threads(make, monkeypatch):
    monkeypatch.setattr(threads, "_LOOK_SECONDS", 0.01)
    fleet, _ = make(Items(), workers=2)
    monkeypatch.setattr(executors, "_shutdown", Later())  # what the interpreter does at its exit, before it joins
    for hand in fleet._hands:
        hand.task.result(timeout=10)
