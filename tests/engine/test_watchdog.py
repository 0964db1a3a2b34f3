from types import SimpleNamespace

import pytest
from crawls import Sim

from scrapekit.engine.host import Queued
from scrapekit.engine.outcomes import Flight
from scrapekit.engine.watchdog import GRACE_SECONDS, Watchdog
from scrapekit.messages import Request
from scrapekit.testing import SimulatedPage

A = "http://a.test/"


def flights(*ids, sent_at=100.0):
    return {number: Flight(Queued(number, Request(A), "a.test"), sent_at) for number in ids}


@pytest.fixture
def asked():
    """What the fleet was asked: (seconds since the start, lease, whether by force)."""
    return []


def watch(asked, out, seconds, *, step=0.25, limit=5.0, held=True):
    """Look every ``step`` seconds; ``out`` are flights, or a function that gives them for a time."""
    now = 100.0

    def abandon(lease_id, *, by_force):
        asked.append((now - 100, lease_id, by_force))
        return held

    dog = Watchdog(SimpleNamespace(abandon=abandon), lambda request: request.timeout or limit)
    while now <= 100 + seconds:
        dog.look(out(now) if callable(out) else out, now)
        now += step


def test_what_is_out_too_long_is_given_up_in_peace_and_then_by_force_and_asked_for_no_third_time(asked):
    watch(asked, flights(1), 100)
    assert asked == [(5.25, 1, False), (5.25 + GRACE_SECONDS, 1, True)]


def test_nothing_is_given_up_before_its_time(asked):
    watch(asked, flights(1, 2, 3), 5)
    assert asked == []


def test_the_same_request_again_is_another_lease(asked):
    watch(asked, lambda now: flights(1, sent_at=now // 4), 60)
    assert asked == []


def test_robots_txt_has_no_callback(asked):
    watch(asked, flights(-1), 60)
    assert asked == []


def test_the_time_in_which_nobody_looked_is_nobodys_fault(asked):
    watch(asked, flights(1), 7200, step=3600)
    assert asked == []


def test_a_lease_that_waits_within_the_fleet_has_its_time_when_it_begins(asked):
    watch(asked, flights(1), 17, held=False)
    assert [by_force for _, _, by_force in asked] == [False, False, False]


def test_a_page_that_hangs_is_quarantined_and_the_crawl_ends(caplog):
    pages = {A: SimulatedPage(links=tuple(f"{A}{n}" for n in range(20)))} | {
        f"{A}{n}": SimulatedPage() for n in range(20)
    }
    sim = Sim(pages, limit=lambda _: 30.0, workers=2)
    process = sim.fleet._process
    sim.fleet._process = lambda lease: None if lease.request.url == f"{A}7" else process(lease)
    assert sim.run() == "finished"
    assert (sim.counts["quarantined"], sim.counts["done"]) == (1, 20)
    (tally,) = sim.stats.errors.values()
    assert (tally.count, tally.url) == (1, f"{A}7")
    assert tally.message == "it has not returned in 30 s"
    assert f"{A}7: Quarantined: it has not returned in 30 s" in caplog.text


def test_a_page_that_hangs_does_not_make_a_crawl_without_a_limit_end():
    sim = Sim({A: SimulatedPage()}, drain_timeout=7.0)
    sim.fleet._process = lambda lease: None
    sim.fleet.at(sim.clock.now() + 10_000, lambda: sim.engine.stop("interrupted"))
    assert sim.run() == "interrupted"
    assert sim.counts["pending"] == 1
