"""When a crawl is well."""

from __future__ import annotations

import pytest

from scrapekit.dashboard.dashboard import patience
from scrapekit.dashboard.pulse import Pulse
from scrapekit.engine import HostSnapshot, Snapshot
from scrapekit.settings import load

PATIENCE = 100.0


def after(seconds, **last):
    """What is wrong so many seconds after the last outcome, with an engine that turns."""
    pulse = Pulse(PATIENCE, 0.0)
    pulse.feel(Snapshot(at=1.0, requests=5, pending=9, in_flight=2), 1.0)
    for second in range(2, int(seconds) + 2):
        pulse.feel(Snapshot(at=float(second), requests=5, **{"pending": 9, "in_flight": 2, **last}), float(second))
    return pulse.complaint(seconds + 1.0)


def test_an_engine_that_does_not_turn_is_not_well():
    pulse = Pulse(PATIENCE, 0.0)
    pulse.feel(Snapshot(at=1.0, pending=9, in_flight=2), 1.0)
    pulse.feel(Snapshot(at=1.0, pending=9, in_flight=2), 30.0)
    assert pulse.complaint(31.0) is None
    assert pulse.complaint(32.0) == "the engine has not turned for 31 s"
    pulse.feel(Snapshot(at=33.0, pending=9, in_flight=2), 33.0)
    assert pulse.complaint(33.0) is None


def test_an_engine_that_has_ended_need_not_turn_while_files_are_made():
    pulse = Pulse(PATIENCE, 0.0)
    for now in (1.0, 500.0):
        pulse.feel(Snapshot(at=1.0, reason="finished"), now)
    assert pulse.complaint(501.0) is None


def test_an_engine_that_never_began_to_turn_is_not_well():
    assert Pulse(PATIENCE, 0.0).complaint(31.0) == "the engine has not turned for 31 s"


def test_a_crawl_that_nothing_comes_back_to_is_not_well():
    assert after(100) is None
    assert after(101) == "nothing has come back for 101 s, though 9 requests are open, 2 of them in flight"
    assert after(101, in_flight=0) == "nothing has come back for 101 s, though 9 requests are open, 0 of them in flight"


@pytest.mark.parametrize(
    "last",
    [
        {"paused": True},
        {"pending": 0, "in_flight": 0},
        {"reason": "max_pages"},
        {"in_flight": 0, "hosts": (HostSnapshot("a.example", queued=9, reason="Retry-After", until=9999.0),)},
    ],
    ids=["paused", "nothing is open", "it ends", "all wait for a time"],
)
def test_with_nothing_to_wait_for_it_is_well(last):
    assert after(500, **last) is None


def test_a_host_that_waits_excuses_nothing_that_is_in_flight():
    assert after(101, hosts=(HostSnapshot("a.example", reason="delay", until=9999.0),)) is not None
    assert after(101, in_flight=0, hosts=(HostSnapshot("a.example", reason="maxsize"),)) is not None


def test_patience_is_as_long_as_one_request_or_one_retry_may_take():
    assert patience(load(None).settings) == 660
    assert patience(load(None, overrides=["crawl.callback_timeout=1000"]).settings) == 1180
    assert patience(load(None, overrides=["retry.backoff.max=5000"]).settings) == 5060
    assert patience(load(None, overrides=["crawl.callback_timeout=null"]).settings) == float("inf")


def test_the_health_check_says_what_is_wrong(crawl, site, monkeypatch):
    with crawl() as crawling:
        assert crawling.page.ask("/healthz").status == 200
        monkeypatch.setattr(Pulse, "complaint", lambda *_: "the engine has not turned for 99 s")
        answer = crawling.page.ask("/healthz")
        assert (answer.status, answer.text) == (503, "the engine has not turned for 99 s\n")
        site.go.set()
