"""The pace of a crawl: its rate, its last minute, and an estimate only where there can be one."""

from __future__ import annotations

import pytest

from scrapekit.cli.pace import MINUTE, Pace, duration
from scrapekit.engine import Snapshot


def run(pace, seconds, *, pages=10.0, pending=1000.0, grows=0.0, start=0.0, items=0.0, **facts):
    """Snapshots of a steady crawl, four a second; the last one."""
    for tick in range(1, int(seconds * 4) + 1):
        now = start + tick / 4
        done = int(pages * now)
        last = Snapshot(
            elapsed_now=now, pages=done, pages_now=done, items=int(items * now), pending=int(pending + grows * now), **facts
        )  # fmt: skip
        pace.add(last)
    return last


def test_the_rate_is_that_of_the_last_seconds():
    pace = Pace()
    assert pace.rate() == 0
    pace.add(Snapshot())
    assert pace.rate() == 0
    pace.add(Snapshot(elapsed_now=2.0, pages_now=10))
    pace.add(Snapshot(elapsed_now=2.0, pages_now=10))
    assert pace.rate() == 5
    for second in range(3, 20):
        pace.add(Snapshot(elapsed_now=float(second), pages_now=10 + 100 * (second - 2)))
    assert pace.rate() == 100
    pace.add(Snapshot(elapsed_now=60.0, pages_now=1710))
    assert pace.rate() == 0


def test_the_bars_are_the_pages_of_each_second_of_a_minute():
    pace = Pace()
    run(pace, 3)
    assert pace.bars() == [10, 10, 10]
    run(pace, 200)
    assert pace.bars() == [10] * MINUTE
    pace.add(Snapshot(elapsed_now=205.9, pages_now=2000))
    assert pace.bars()[-5:] == [0] * 5


def test_a_limit_that_the_queue_can_reach_tells_when_the_crawl_ends():
    pace = Pace(max_pages=500)
    share, seconds = pace.progress(run(pace, 10))
    assert (share, seconds) == (0.2, pytest.approx(40))


def test_so_does_a_limit_of_items_and_the_nearer_one_counts():
    pace = Pace(max_pages=500, max_items=40)
    share, seconds = pace.progress(run(pace, 10, items=2.0))
    assert (share, seconds) == (0.5, pytest.approx(10))


@pytest.mark.parametrize(
    ("limits", "facts"),
    [
        ({}, {}),  # it is not known how many pages there are
        ({"max_pages": 5000}, {}),  # the queue may run dry before
        ({"max_items": 5000}, {"items": 2.0}),
        ({"max_pages": 500}, {"pages": 0.0}),  # nothing moves
        ({"max_items": 500}, {}),  # there are no items
        ({"max_pages": 500}, {"paused": True}),
        ({"max_pages": 500}, {"reason": "interrupted"}),
        ({}, {"grows": 3.0}),
    ],
)
def test_where_the_end_is_not_known_there_is_no_estimate(limits, facts):
    pace = Pace(**limits)
    assert pace.progress(run(pace, 10, **facts)) is None


def test_a_few_seconds_tell_nothing():
    pace = Pace(max_pages=500)
    assert pace.progress(run(pace, 5)) is None


def test_a_queue_that_has_been_shrinking_for_a_while_tells_too():
    pace = Pace()
    share, seconds = pace.progress(run(pace, 40, grows=-20.0, queued=400))
    assert (share, seconds) == (0.5, pytest.approx(10))


def test_a_queue_that_shrank_and_grows_again_tells_nothing():
    pace = Pace()
    run(pace, 20, grows=-20.0)
    assert pace.progress(run(pace, 20, start=20.0, pending=0.0, grows=31.0)) is None


def test_what_is_over_is_not_less_than_nothing():
    pace = Pace(max_pages=90)
    assert pace.progress(run(pace, 10)) == (pytest.approx(100 / 90), 0)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "1 h 30 min"), (86400 * 3, "3 days")],
)
def test_durations_are_as_people_say_them(seconds, said):
    assert duration(seconds) == said
