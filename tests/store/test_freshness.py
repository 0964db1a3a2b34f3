"""What may be stored and reused, by the sections of RFC 9111."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from scrapekit.store.freshness import (
    HEURISTIC_MOST,
    Fresh,
    Stale,
    Stored,
    Unusable,
    age,
    bypasses,
    decide,
    lifetime,
    selecting,
    storable,
    updated,
)

NOW = 1_700_000_000.0


def date(moment):
    return formatdate(moment, usegmt=True)


def headers(**pairs):
    return HTTPHeaderDict({name.replace("_", "-"): value for name, value in pairs.items()})


def stored(asked=None, *, status=200, requested=NOW, received=NOW, **pairs):
    has = headers(**pairs)
    return Stored(status, has, selecting(has, asked or headers()), requested, received)


@pytest.mark.parametrize(
    ("status", "response", "asked", "is_stored"),
    [
        (200, {"Cache_Control": "max-age=60"}, {}, True),
        (200, {"Cache_Control": "private, max-age=60"}, {}, True),  # 5.2.2.7: we are a private cache
        (200, {"Cache_Control": "max-age=60, no-store"}, {}, False),  # 5.2.2.5
        (200, {"Cache_Control": "max-age=60"}, {"Cache_Control": "no-store"}, False),  # 5.2.1.5
        (200, {"Cache_Control": "max-age=60", "Vary": "Accept, *"}, {}, False),  # 4.1: never matches
        (206, {"Cache_Control": "max-age=60"}, {}, False),  # 3.3: parts are not kept
        (304, {"Cache_Control": "max-age=60"}, {}, False),
        (100, {"Cache_Control": "max-age=60"}, {}, False),  # 3: final statuses only
        (500, {"Cache_Control": "max-age=60"}, {}, True),  # 3: it says so
        (500, {"ETag": '"a"'}, {}, False),
        (500, {"ETag": '"a"', "Cache_Control": "public, no-cache"}, {}, True),
        (404, {"ETag": '"a"'}, {}, True),  # RFC 9110, 15.1: cacheable by default
        (200, {}, {}, False),  # of no use: neither fresh nor to be validated
        (200, {"ETag": '"a"'}, {}, True),
        (200, {"Cache_Control": "no-cache"}, {}, False),
        (200, {"Expires": date(NOW + 60)}, {}, True),
    ],
)
def test_what_is_stored(status, response, asked, is_stored):
    assert storable(status, headers(**response), headers(**asked), NOW) is is_stored


@pytest.mark.parametrize(
    ("status", "response", "seconds"),
    [
        (200, {"Cache_Control": "max-age=60", "Expires": date(NOW)}, 60),  # 5.3: max-age wins
        (200, {"Cache_Control": 'MAX-AGE="60"'}, 60),  # 5.2: either form, any case
        (200, {"Cache_Control": "max-age=60, max-age=7"}, 60),  # 4.2.1: the first
        (200, {"Cache_Control": "max-age=-1"}, 0),  # 4.2.1: invalid is stale
        (200, {"Cache_Control": "max-age=never"}, 0),
        (200, {"Cache_Control": f"max-age={10**30}"}, 2**31),  # 1.2.2
        (200, {"Cache_Control": "s-maxage=60"}, 0),  # 5.2.2.10: for shared caches
        (200, {"Expires": date(NOW + 60), "Date": date(NOW)}, 60),
        (200, {"Expires": date(NOW + 60)}, 60),  # no Date: when it came
        (200, {"Expires": "0"}, 0),  # 5.3
        (200, {"Expires": date(NOW - 60), "Date": date(NOW), "Last_Modified": date(NOW - 9000)}, 0),
        (200, {"Date": date(NOW), "Last_Modified": date(NOW - 1000)}, 100),  # 4.2.2: a tenth
        (200, {"Date": date(NOW), "Last_Modified": date(NOW - 10**8)}, HEURISTIC_MOST),
        (200, {"Date": date(NOW), "Last_Modified": date(NOW + 1000)}, 0),
        (500, {"Date": date(NOW), "Last_Modified": date(NOW - 1000)}, 0),  # 4.2.2: not cacheable by default
        (500, {"Date": date(NOW), "Last_Modified": date(NOW - 1000), "Cache_Control": "public"}, 100),
        (200, {}, 0),
    ],
)
def test_how_long_a_response_is_fresh(status, response, seconds):
    assert lifetime(status, headers(**response), NOW) == seconds


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        ({}, 10 + 2),  # resident for 10, under way for 2
        ({"Date": date(NOW - 100)}, 10 + 100),  # the apparent age
        ({"Age": "500", "Date": date(NOW - 100)}, 10 + 500 + 2),
        ({"Age": "bad"}, 10 + 2),
        ({"Age": "5, 7"}, 10 + 5 + 2),
        ({"Date": date(NOW + 100)}, 10 + 2),  # a clock that is wrong
    ],
)
def test_how_old_a_response_is(response, seconds):
    assert age(stored(requested=NOW - 2, **response), NOW + 10) == seconds


@pytest.mark.parametrize(
    ("response", "asked", "verdict"),
    [
        ({"Cache_Control": "max-age=60"}, {}, Fresh(10.0)),
        ({"Cache_Control": "max-age=10"}, {}, Unusable()),  # as old as it may be, and nothing to validate it with
        ({"Cache_Control": "max-age=10", "ETag": '"a"'}, {}, Stale({"If-None-Match": '"a"'})),
        ({"Cache_Control": "max-age=60, no-cache", "ETag": '"a"'}, {}, Stale({"If-None-Match": '"a"'})),  # 5.2.2.4
        (
            {"Cache_Control": "max-age=60", "ETag": '"a"'},
            {"Cache_Control": "no-cache"},
            Stale({"If-None-Match": '"a"'}),
        ),
        (
            {"Cache_Control": "max-age=60", "ETag": '"a"'},
            {"Pragma": "no-cache"},
            Stale({"If-None-Match": '"a"'}),
        ),  # 5.4
        ({"Cache_Control": "max-age=60"}, {"Pragma": "no-cache", "Cache_Control": "max-age=20"}, Fresh(10.0)),
        (
            {"Cache_Control": "max-age=60", "ETag": '"a"'},
            {"Cache_Control": "max-age=9"},
            Stale({"If-None-Match": '"a"'}),
        ),
        ({"Cache_Control": "max-age=60"}, {"Cache_Control": "min-fresh=50"}, Fresh(10.0)),  # 5.2.1.3
        ({"Cache_Control": "max-age=60"}, {"Cache_Control": "min-fresh=51"}, Unusable()),
        ({"Cache_Control": "max-age=60"}, {"Cache_Control": "no-store"}, Unusable()),
    ],
)
def test_whether_a_stored_response_answers(response, asked, verdict):
    assert decide(stored(**response), headers(**asked), NOW + 10) == verdict


def test_a_stale_response_is_validated_by_all_that_it_has():
    old = stored(ETag='W/"a"', Last_Modified=date(NOW))
    assert decide(old, headers(), NOW + 10**6) == Stale({"If-None-Match": 'W/"a"', "If-Modified-Since": date(NOW)})


def test_vary_compares_the_headers_that_it_names_and_keeps_no_values():
    asked = headers(Accept="text/html,  */*", Cookie="secret=1")
    kept = stored(asked, Cache_Control="max-age=60", Vary="accept, Cookie")
    assert "secret" not in repr(kept.vary)
    assert decide(kept, headers(accept="text/html, */*", Cookie="secret=1", X_Other="1"), NOW) == Fresh(0.0)
    assert decide(kept, headers(Accept="text/plain", Cookie="secret=1"), NOW) == Unusable()
    assert decide(kept, headers(Accept="text/html, */*"), NOW) == Unusable()


def test_a_304_updates_the_headers_but_not_those_of_the_body():
    old = HTTPHeaderDict([("ETag", '"a"'), ("X-Two", "1"), ("X-Two", "2"), ("Content-Length", "9"), ("Server", "x")])
    new = HTTPHeaderDict([("etag", '"b"'), ("Content-Length", "0"), ("x-two", "3"), ("X-New", "4")])
    both = updated(old, new)
    assert (both["etag"], both["content-length"], both["server"], both["x-new"]) == ('"b"', "9", "x", "4")
    assert both.getlist("x-two") == ["3"]


def test_a_304_does_not_make_the_body_another_thing():
    page = HTTPHeaderDict({"Content-Type": "text/html; charset=utf-8"})
    assert updated(page, HTTPHeaderDict({"Content-Type": "text/plain"}))["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("name", ["Range", "If-None-Match", "if-modified-since"])
def test_conditions_and_ranges_of_the_request_are_not_ours_to_answer(name):
    assert bypasses(HTTPHeaderDict({name: "x"}))
    assert not bypasses(headers(Accept="x"))


@given(
    st.dictionaries(st.sampled_from(["Cache-Control", "Expires", "Date", "Age", "Vary", "Last-Modified"]), st.text())
)
def test_no_header_is_too_odd(pairs):
    odd = HTTPHeaderDict(pairs)
    assert 0 <= lifetime(200, odd, NOW) <= 2**31
    assert age(Stored(200, odd, {}, NOW, NOW), NOW) >= 0
    assert storable(200, odd, headers(), NOW) in {True, False}
