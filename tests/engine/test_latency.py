"""The histogram of latencies: what it counts, and which quantiles it tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.engine.latency import BOUNDS, Latency


def of(*seconds):
    latency = Latency()
    for each in seconds:
        latency.add(each)
    return latency


def test_a_bucket_holds_what_took_at_most_its_bound():
    assert of(0.0, 0.005, 0.0051, 60.0, 61.0).counts == [2, 1, *[0] * (len(BOUNDS) - 3), 1, 1]


def test_it_counts_and_adds_up():
    latency = of(0.1, 0.3, 2.0)
    assert (latency.count, latency.sum) == (3, pytest.approx(2.4))


def test_of_nothing_there_are_no_quantiles():
    assert Latency().quantile(0.5) is None


@pytest.mark.parametrize(
    ("seconds", "share", "expected"),
    [
        ([0.15] * 4, 0.5, 0.15),  # the middle of its bucket
        ([0.15] * 4, 1.0, 0.2),
        ([0.15] * 4, 0.0, 0.1),
        ([0.001, 0.001, 0.001, 4.0], 0.75, 0.005),
        ([0.001, 0.001, 0.001, 4.0], 1.0, 5.0),
        ([100.0], 0.5, 60.0),
        ([0.001, 100.0], 0.99, 60.0),
    ],
)
def test_quantiles_are_those_of_the_bucket(seconds, share, expected):
    assert of(*seconds).quantile(share) == pytest.approx(expected)


@given(st.lists(st.floats(0, 200), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_grow_with_their_share_and_stay_within_the_bounds(seconds, one, other):
    latency = of(*seconds)
    low, high = sorted((one, other))
    assert 0 <= latency.quantile(low) <= latency.quantile(high) <= BOUNDS[-1]


def test_what_came_since_is_what_is_new_and_a_copy():
    latency = of(0.1)
    before = latency.since(Latency())
    latency.add(3.0)
    assert before == of(0.1)
    assert latency.since(before).counts == of(3.0).counts
    assert latency.since(before).sum == pytest.approx(3.0)
