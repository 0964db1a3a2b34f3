import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.engine.host import AdaptiveLimit


def test_it_starts_at_half():
    assert [AdaptiveLimit(maxsize).value for maxsize in (2, 3, 8, 100)] == [1, 1, 4, 50]


def test_it_doubles_a_round_trip_until_the_first_push_back():
    limit = AdaptiveLimit(64)
    for _ in range(32):
        limit.succeeded(0.1)
    assert limit.value == 64


def test_after_a_push_back_it_grows_by_one_a_round_trip():
    limit = AdaptiveLimit(64)
    limit.pushed_back(sent_at=1, now=2)
    assert limit.value == 16
    for _ in range(17):
        limit.succeeded(0.1)
    assert limit.value == 17


def test_it_halves_once_a_round_trip():
    limit = AdaptiveLimit(64)
    for sent_at in (1.0, 1.2, 1.9, 1.99):
        limit.pushed_back(sent_at, now=2.0)
    assert limit.value == 16  # all four were sent before the cut
    limit.pushed_back(sent_at=2.0, now=3.0)
    assert limit.value == 8


def test_a_host_that_gets_slower_gets_no_more_requests():
    limit = AdaptiveLimit(64)
    limit.succeeded(0.1)
    before = limit.value
    for _ in range(100):
        limit.succeeded(0.3)
    assert limit.value == before


@pytest.mark.parametrize("latency", [0.0, 0.04])
def test_the_jitter_of_a_quick_host_is_not_taken_for_load(latency):
    limit = AdaptiveLimit(8)
    limit.succeeded(0.001)
    for _ in range(8):
        limit.succeeded(latency)
    assert limit.value == 8


@given(st.integers(2, 1024), st.lists(st.one_of(st.none(), st.floats(0, 100))))
def test_it_stays_between_one_and_maxsize(maxsize, events):
    limit = AdaptiveLimit(maxsize)
    for now, latency in enumerate(events):
        if latency is None:
            limit.pushed_back(now, now)
        else:
            limit.succeeded(latency)
        assert 1 <= limit.value <= maxsize
