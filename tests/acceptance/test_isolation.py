"""What is slow, down or broken costs itself only: the others finish meanwhile, and every slot comes free again."""

from __future__ import annotations

import socket
import threading

import pytest

import scrapekit
from scrapekit.testing import Reply, RequestView, serve

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
PAGE = Reply(b"<p>page</p>", headers=(("Content-Type", "text/html"),))


class Pages(scrapekit.Spider):
    name = "pages"

    def start(self):
        for url in self.urls:
            yield scrapekit.Request(url)

    def parse(self, response):
        yield {"url": response.url}


@pytest.fixture
def refused_port():
    """A port that nobody listens on: it is bound, so that nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.4", 0))
        yield held.getsockname()[1]


def test_the_others_finish_while_pages_hang_a_host_is_down_and_one_answers_503_for_ever(refused_port):
    """The pages that hang are let go only after all others have been fetched: were they in the way, they would time out.

    There are two workers and one slot for the pages that hang: the second one must never take the other worker, not even
    to wait for the slot.
    """
    good = 60
    others_done = threading.Event()
    done_while_hanging = []

    def app(request: RequestView) -> Reply:
        if request.path == "/robots.txt":
            return Reply(b"", 404)
        if request.path.startswith("/hangs"):
            done_while_hanging.append(others_done.wait(30))
            return PAGE
        if request.host == "127.0.0.3":
            return Reply(b"never", 503)
        fetched.add(request.target)
        if len(fetched) == good:
            others_done.set()
        return PAGE

    fetched: set[str] = set()
    with serve(app, hosts=HOSTS) as server:
        bad = [f"http://127.0.0.2:{server.port}/hangs{n}" for n in range(4)]
        bad += [f"http://127.0.0.4:{refused_port}/{n}" for n in range(5)]
        bad += [f"http://127.0.0.3:{server.port}/{n}" for n in range(5)]
        report = scrapekit.run(
            Pages,
            urls=bad + [f"http://127.0.0.1:{server.port}/{n}" for n in range(good)],
            settings={
                "workers": 2,
                "throttle": {"maxsize": 1, "domains": {"127.0.0.1": {"maxsize": 2}}},
                "retry": {"times": 2, "backoff": {"initial": 0.05}},
                "robots": {"obey": False},
            },
        )
        assert done_while_hanging == [True] * 4
        assert sum(1 for request in server.log if request.host == "127.0.0.3") == 5 * 3  # each tried three times
    assert report.pages == report.items == good + 4
    assert report.stats.failed == 10
    assert {kind: tally.count for kind, tally in report.stats.errors.items()} == {
        "ConnectError": 5,
        "StatusError 503": 5,
    }
    assert report.stats.errors["ConnectError"].url.startswith("http://127.0.0.4:")
    assert report.stats.retries == 20
    assert report.reason == "finished"
    assert report.failure is None
    assert report.pool.in_use == report.pool.waiting == 0


def test_pages_that_hang_time_out_and_give_their_slots_back():
    """Both slots of the host hang at once; the pages behind them are fetched all the same, over the same two slots."""
    hang = threading.Barrier(2)

    def app(request: RequestView) -> Reply:
        if request.path.startswith("/hangs"):
            if request.visit == 1:
                hang.wait(30)  # both are open
            request.closing.wait(60)
        return PAGE

    with serve(app) as server:
        report = scrapekit.run(
            Pages,
            urls=[f"{server.url}/hangs{n}" for n in range(2)] + [f"{server.url}/{n}" for n in range(20)],
            settings={
                "throttle": {"maxsize": 2, "adaptive": False},
                "http": {"timeout": {"read": 0.5, "total": 30}},
                "retry": {"times": 1, "backoff": {"initial": 0.01}},
                "robots": {"obey": False},
            },
        )
    assert report.pages == 20
    assert {kind: tally.count for kind, tally in report.stats.errors.items()} == {"DeadlineExceeded": 2}
    assert report.stats.retries == 2
    assert report.pool.in_use == report.pool.waiting == 0


def test_a_page_that_drips_ends_at_the_total_timeout():
    """Each byte comes well within the read timeout; the wall clock ends it."""
    dripping = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            try:
                while not dripping.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                return  # the client has given up, as it should

    with socket.create_server(("127.0.0.1", 0)) as listener, serve(lambda _: PAGE, "127.0.0.2") as server:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        slow = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        try:
            report = scrapekit.run(
                Pages,
                urls=[slow, *(f"{server.url}/{n}" for n in range(20))],
                settings={
                    "workers": 2,
                    "http": {"timeout": {"read": 10, "total": 1}},
                    "retry": {"times": 0},
                    "robots": {"obey": False},
                },
            )
        finally:
            dripping.set()
            thread.join()
    assert report.pages == 20
    assert [(kind, tally.url) for kind, tally in report.stats.errors.items()] == [("DeadlineExceeded", slow)]
    assert report.pool.in_use == report.pool.waiting == 0
