"""The ledger: what the frontier has of each attempt, over a whole crawl."""

import contextlib
import sqlite3

import pytest
from crawls import Sim, page, redirect

from scrapekit.messages import Lost
from scrapekit.testing.web import SimulatedPage

A = "http://a.test/"
BUSY = SimulatedPage(status=503)
PAGES = {
    A: page("/old", "/busy", "/gone", "/down"),
    f"{A}old": redirect("/new"),
    f"{A}new": page(),
    f"{A}busy": (BUSY, BUSY, page()),
    f"{A}down": SimulatedPage(error="ConnectError"),
}


def attempts(folder):
    with contextlib.closing(sqlite3.connect(folder / "frontier.sqlite")) as database:
        return database.execute(
            "SELECT url, a.status, a.location, substr(a.error, 1, instr(a.error, ':') - 1), a.at >= queued AND "
            "a.at + a.elapsed <= finished FROM attempts a JOIN urls ON urls.id = request ORDER BY request, a.id"
        ).fetchall()


FAILED = [
    (f"{A}busy", 503, None, "StatusError", 1),
    (f"{A}busy", 503, None, "StatusError", 1),
    (f"{A}gone", 404, None, "StatusError", 1),
    (f"{A}down", None, None, "ConnectError", 1),
    (f"{A}down", None, None, "ConnectError", 1),
    (f"{A}down", None, None, "ConnectError", 1),
]


def test_every_attempt_is_written_down_with_how_it_went(tmp_path):
    sim = Sim(PAGES, folder=tmp_path)
    assert sim.run() == "finished"
    found = attempts(tmp_path)
    assert [row for row in found if row[3]] == FAILED
    assert {row for row in found if not row[3]} == {
        (A, 200, None, None, 1),
        (f"{A}old", 302, f"{A}new", None, 1),
        (f"{A}new", 200, None, None, 1),
        (f"{A}busy", 200, None, None, 1),
    }


def test_a_ledger_of_errors_has_only_what_failed(tmp_path):
    sim = Sim(PAGES, folder=tmp_path, every_attempt=False)
    assert sim.run() == "finished"
    assert attempts(tmp_path) == FAILED


@pytest.mark.parametrize("robots", [False, True], ids=["pages", "robots.txt"])
def test_the_death_of_a_worker_is_an_attempt(tmp_path, robots):
    sim = Sim({A: page(), f"{A}robots.txt": SimulatedPage(status=404)}, folder=tmp_path, robots=robots)
    process, deaths = sim.fleet._process, []

    def deadly(lease):
        if lease.is_robots is robots and not deaths:
            deaths.append(lease.id)
            return Lost([lease.id], "killed by signal 9")
        return process(lease)

    sim.fleet._process = deadly
    assert sim.run() == "finished"
    lost = [] if robots else [(A, None, None, "Lost", 1)]  # robots.txt is no URL of the crawl
    assert attempts(tmp_path) == [*lost, (A, 200, None, None, 1)]
