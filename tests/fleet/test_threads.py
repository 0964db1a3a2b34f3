import subprocess
import sys
import threading
from concurrent.futures import thread as executors
from queue import SimpleQueue
from threading import Barrier, Event

import pytest

from scrapekit.errors import FleetError
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
    for thread in threading.enumerate():  # those that were given up are on their way out
        if thread.name.startswith("scrapekit"):
            thread.join(10)
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


class Stuck(Items):
    """Hangs in C, or in Python, until it may go on."""

    def __init__(self):
        super().__init__()
        self.begun, self.go, self.ended = Event(), Event(), Event()

    def in_c(self, response):
        self.begun.set()
        try:
            self.go.wait()
        finally:
            self.ended.set()

    def in_python(self, response):
        self.begun.set()
        try:
            while not self.go.is_set():
                pass
        finally:
            self.ended.set()


def test_a_thread_that_hangs_is_replaced_and_what_it_says_later_is_ignored(make):
    spider = Stuck()
    fleet, posts = make(spider, workers=1)
    fleet.submit(lease(1, "in_c"))
    assert spider.begun.wait(10)
    assert fleet.abandon(1, by_force=False)
    failed = posts.get(timeout=10)
    assert (failed.id, failed.error, failed.message) == (
        1,
        "Quarantined",
        "its callback or a pipeline has not returned",
    )
    assert "in in_c\n    self.go.wait()\n" in failed.traceback
    fleet.submit(lease(2))
    assert posts.get(timeout=10).id == 2
    spider.go.set()
    assert spider.ended.wait(10)
    fleet.submit(lease(3))
    assert posts.get(timeout=10).id == 3
    assert not fleet.abandon(1, by_force=True)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python 3.13 shows no other thread where in a short loop it is")
def test_a_thread_that_loops_ends_when_it_is_given_up(make):
    spider = Stuck()
    fleet, posts = make(spider, workers=1)
    fleet.submit(lease(1, "in_python"))
    assert spider.begun.wait(10)
    assert fleet.abandon(1, by_force=False)
    assert spider.ended.wait(10)
    assert posts.get(timeout=10).error == "Quarantined"


def test_a_lease_that_nobody_has_begun_with_or_that_is_done_is_not_given_up(make):
    fleet, posts = make(Items(), workers=1)
    fleet.submit(lease(1))
    assert posts.get(timeout=10).id == 1
    assert not fleet.abandon(1, by_force=False)
    assert posts.empty()


def test_a_thread_that_hangs_and_can_not_be_replaced_is_an_error(make, monkeypatch):
    spider = Stuck()
    fleet, _ = make(spider, workers=1)
    fleet.submit(lease(1, "in_c"))
    assert spider.begun.wait(10)
    monkeypatch.setattr(fleet._executor, "submit", refuse)
    with pytest.raises(FleetError, match="^a worker thread that hangs can't be replaced: can't start new thread$"):
        fleet.abandon(1, by_force=False)
    spider.go.set()
    assert spider.ended.wait(10)


def refuse(*_):
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("settings", [{"callback_timeout": 0.2}, {"callback_timeout": None, "drain_timeout": 0}])
def test_a_program_ends_though_a_callback_never_returns(tmp_path, settings):
    """Whether the watchdog has given it up, or the crawl was left while it hung."""
    program = tmp_path / "program.py"
    program.write_text(f"""
import threading
import scrapekit
from scrapekit.project import hands
from scrapekit.testing import Reply, serve

hands._CLOSE_SECONDS = 0.2

class Hangs(scrapekit.Spider):
    name = "hangs"
    def parse(self, response):
        for number in range(5):
            yield scrapekit.Request(f"{{self.start_urls[0]}}{{number}}", self.page)
    def page(self, response):
        if response.url.endswith("/3"):
            threading.Event().wait()
        yield {{"url": response.url}}

with serve(lambda view: Reply(b"x")) as server:
    url = f"{{server.url}}/"
    settings = {{"http": {{"timeout": {{"total": 0.5}}}}, "crawl": {settings}, "robots": {{"obey": False}}}}
    if settings["crawl"]["callback_timeout"]:
        report = scrapekit.run(Hangs, start_urls=[url], settings=settings)
        print(report.items, report.quarantined == (f"{{url}}3",))
    else:
        items = scrapekit.crawl(Hangs, start_urls=[url], settings=settings)
        print(len([next(items) for _ in range(4)]))
        items.close()
print("end")
""")
    ended = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == f"4{' True' * bool(settings['callback_timeout'])}\nend\n"
    assert ("threading.Event().wait()" in ended.stderr) == bool(settings["callback_timeout"])
