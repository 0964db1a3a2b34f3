"""Leases and outcomes are plain values that cross threads and processes."""

from __future__ import annotations

import msgspec
import pytest

from scrapekit.messages import (
    Failed,
    Fetched,
    Lease,
    Link,
    Outcome,
    Page,
    Redirected,
    Rejected,
    Request,
    Seeded,
    Yielded,
)

LINK = Link("https://example.org/", "example.org", b"\0" * 16, "parse", 1, b'{"method":"HEAD"}')
YIELDED = Yielded([b'{"a":1}'], {0: b"k" * 16}, ["0"], [LINK], {"old": 2}, [Rejected("bad item", "{}")], "enough")
PAGE = Page("https://example.org/robots.txt", 200, [("Content-Type", "text/plain")], b"\xff")
OUTCOMES = [
    Fetched(
        id=1,
        yielded=YIELDED,
        page=PAGE,
        status=200,
        size=5,
        elapsed=0.5,
        set_cookies=["a=b"],
        retry_after="3",
        flags=("x",),
    ),
    Redirected(id=2, status=301, link=LINK),
    Failed(
        id=3,
        error="ConnectError",
        message="refused",
        url="https://example.org/",
        traceback="...",
        yielded=YIELDED,
        page=PAGE,
        final=True,
    ),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_an_outcome_survives_the_way_between_processes(outcome):
    sent = msgspec.msgpack.encode(outcome)
    assert msgspec.msgpack.decode(sent, type=Fetched | Redirected | Failed) == outcome


def test_seeds_survive_the_way_between_processes():
    seeded = Seeded([LINK], exhausted=True, error="no")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(seeded), type=Seeded) == seeded


def test_outcomes_do_not_share_their_lists():
    first, second = Outcome(id=1), Outcome(id=2)
    first.set_cookies.append("a=b")
    assert second.set_cookies == []
    Yielded().items.append(b"{}")
    assert Yielded().items == []


def test_a_lease_is_immutable_and_knows_whether_it_is_the_engines_own():
    lease = Lease(7, Request("https://example.org/"), "example.org")
    assert (lease.depth, lease.attempt, lease.redirects, lease.cookies, lease.failure) == (0, 0, 0, None, None)
    assert not lease.is_robots
    assert Lease(-1, lease.request, "example.org").is_robots
    with pytest.raises(AttributeError):
        lease.depth = 1
