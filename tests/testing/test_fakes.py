"""The fakes for deterministic crawls: what a test that builds on them may rely on."""

import pytest

from scrapekit.errors import ConnectError
from scrapekit.messages import Fetched, Lease, Redirected, Request, Yielded
from scrapekit.testing import FakeClock, FakeFleet, FakeSeeds, LinkSpider, SimulatedPage, SimulatedWeb

A = "http://a.test/"


def lease(lease_id, url=A):
    return Lease(lease_id, Request(url), "a.test")


def fetched(lease):
    return Fetched(id=lease.id, status=200, yielded=Yielded())


def test_the_clock_jumps_to_the_next_outcome():
    clock = FakeClock(0.0)
    fleet = FakeFleet(fetched, clock, workers=2, latency=(3, 4))
    fleet.submit(lease(1))
    assert fleet.take(1) == []
    assert clock.now() == 1
    (outcome,) = fleet.take(60)
    assert 3 <= clock.now() <= 4
    assert outcome.elapsed == pytest.approx(clock.now())
    assert fleet.submitted == [(0.0, lease(1))]


def test_outcomes_come_in_the_order_of_their_latencies():
    fleet = FakeFleet(fetched, FakeClock(), workers=50, seed=4)
    for lease_id in range(1, 51):
        fleet.submit(lease(lease_id))
    ids = []
    while fleet.open:
        ids += [outcome.id for outcome in fleet.take(60)]
    assert sorted(ids) == list(range(1, 51)) != ids


def test_time_passes_however_often_one_looks():
    clock = FakeClock(0.0)
    fleet = FakeFleet(fetched, clock)
    fleet.post(None)
    assert fleet.take(0) == [None]
    after_post = clock.now()
    assert fleet.take(0) == []
    assert clock.now() > after_post > 0


def test_events_happen_at_their_time():
    clock = FakeClock(0.0)
    fleet = FakeFleet(fetched, clock)
    seen = []
    fleet.at(5.0, lambda: seen.append(clock.now()))
    fleet.take(4)
    assert seen == []
    fleet.take(60)
    assert seen == [5.0]


def test_a_fleet_refuses_what_an_engine_must_not_do():
    fleet = FakeFleet(fetched, FakeClock(), workers=1)
    fleet.submit(lease(1))
    with pytest.raises(AssertionError, match="no worker is free"):
        fleet.submit(lease(2))
    fleet.take(60)
    fleet.close(0)
    with pytest.raises(AssertionError, match="closed"):
        fleet.submit(lease(2))


def test_seeds_come_as_they_are_asked_for():
    posts = []
    seeds = FakeSeeds(LinkSpider([f"{A}{n}" for n in range(4)]).start, posts.append, skip=1)
    seeds.ask(2)
    assert [post.links[0].url for post in posts] == [f"{A}1", f"{A}2"]
    seeds.ask(9)
    assert posts[-1].exhausted
    seeds.close()


def test_a_web_answers_with_real_messages():
    web = SimulatedWeb({
        A: SimulatedPage(("/x",)),
        f"{A}old": SimulatedPage(status=301, headers=(("Location", "/"),)),
        f"{A}late": (SimulatedPage(status=503), SimulatedPage(text="here")),
        f"{A}mine": lambda request, visit, cookies: SimulatedPage(text=f"{visit} {cookies}"),
        f"{A}down": SimulatedPage(error="ConnectError"),
    })  # fmt: skip
    process = web.worker(LinkSpider()).process
    page = process(lease(1))
    assert page.yielded.items == [b'{"url":"http://a.test/"}']
    assert [link.url for link in page.yielded.links] == [f"{A}x"]
    assert isinstance(process(lease(2, f"{A}old")), Redirected)
    assert [process(lease(3, f"{A}late")).status for _ in range(3)] == [503, 200, 200]
    assert process(lease(4, f"{A}nowhere")).status == 404
    assert process(lease(5, f"{A}down")).error == "ConnectError"
    assert web.fetch(Request(f"{A}mine"), host="a.test", cookies="a=1").body == b"1 a=1"
    with pytest.raises(ConnectError):
        web.fetch(Request(f"{A}down"), host="a.test")
    assert web.visits[f"{A}late"] == 3
