"""A link is a request as it is stored."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.messages import Link, Request, link_of, linker, request_of
from scrapekit.web.urls import address, fingerprint

URL = "https://Example.org/a?b=2&a=1"


def stored(request: Request) -> Request:
    """``request`` after it has been through the frontier."""
    link = msgspec.msgpack.decode(msgspec.msgpack.encode(link_of(request)), type=Link)
    return request_of(link.url, link.callback, link.priority, link.extra, link.fingerprint is None)


def test_a_plain_link_holds_no_extra():
    link = link_of(Request(URL, "parse_book", priority=2))
    assert link == Link(address(URL).url, "example.org", address(URL).fingerprint, "parse_book", 2, None)
    assert len(link.fingerprint) == 16


def test_what_asks_for_the_same_has_the_same_fingerprint():
    plain = link_of(Request(URL)).fingerprint
    for same in (
        Request("https://example.org:443/a?a=1&b=2#top"),
        Request(URL, "other", meta={"a": 1}, priority=3, headers={"A": "b"}),
    ):
        assert link_of(same).fingerprint == plain


def test_what_asks_for_another_thing_has_another_fingerprint():
    requests = [
        Request(URL),
        Request("http://example.org/a?b=2&a=1"),
        Request("https://example.org:8443/a?b=2&a=1"),
        Request("https://example.org/A?b=2&a=1"),
        Request(URL, method="HEAD"),
        Request(URL, method="POST"),
        Request(URL, form={"a": 1}),
        Request(URL, form={"a": 2}),
        Request(URL, body=b"a=1"),
        Request(URL, session="ann"),
        Request(URL, session="bob"),
        Request(URL, form={"a": 1}, session="bob"),
    ]
    assert len({link_of(request).fingerprint for request in requests}) == len(requests)
    assert link_of(requests[6]).fingerprint == fingerprint("POST", URL, b"a=1")


def test_dont_filter_has_no_fingerprint():
    link = link_of(Request(URL, dont_filter=True))
    assert (link.fingerprint, link.extra) == (None, None)
    assert stored(Request(URL, dont_filter=True)) == Request(URL, dont_filter=True)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"callback": "parse_book", "priority": -3},
        {"meta": {"a": [1, None, "é"], "b": {"c": 1.5}}, "cb_kwargs": {"page": 2}},
        {"form": {"a": "ä"}},
        {"json": {"a": 10**30}},
        {"method": "PUT", "body": bytes(range(256)), "headers": {"A": "ä"}},
        {"method": "POST", "body": b""},
        {
            "delay": 0,
            "timeout": 2.5,
            "session": "s",
            "proxy": "http://p",
            "errback": "failed",
            "handle_statuses": (404,),
        },
        {"dont_filter": True, "errback": "failed"},
    ],
)
def test_a_request_comes_back_as_it_was(arguments):
    request = Request(URL, **arguments)
    assert stored(request) == request
    assert stored(stored(request)) == request


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=3))
def test_any_meta_comes_back_as_the_request_had_it(meta):
    request = Request(URL, meta=meta, cb_kwargs=meta)
    assert request.meta == meta
    assert stored(request) == request


def test_ignored_parameters_make_no_other_request_and_stay_in_the_url():
    link = linker(["utm_*", "gclid", "a[?]"])
    plain = link_of(Request("https://ex.com/p?b=2"))
    assert link(Request("https://ex.com/p?b=2")) == plain
    for query in ("b=2&utm_source=x", "gclid=&b=2", "utm_=1&b=2&utm_b", "utm%5Fsource=1&b=2", "b=2&a%3F=1"):
        made = link(Request(f"https://ex.com/p?{query}"))
        assert (made.url, made.fingerprint) == (f"https://ex.com/p?{query}", plain.fingerprint)
    for query in ("b=2&c=1", "b=2&utm=1", "b=3", "b=2&my_utm_x=1", "b=2&GCLID=1"):
        assert link(Request(f"https://ex.com/p?{query}")).fingerprint != plain.fingerprint
    assert link(Request("https://ex.com/p?gclid=1")).fingerprint == link_of(Request("https://ex.com/p")).fingerprint


def test_ignored_parameters_of_other_requests():
    link = linker(["x"])
    post = [link(Request(f"https://ex.com/?x={n}", method="POST", body=b"b")).fingerprint for n in (1, 2)]
    assert post[0] == post[1] == link_of(Request("https://ex.com/", method="POST", body=b"b")).fingerprint
    assert link(Request("https://ex.com/?x=1", dont_filter=True)).fingerprint is None
    assert linker(()) is link_of
