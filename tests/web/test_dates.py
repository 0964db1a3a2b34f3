from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.web.dates import parse_date


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",  # the three forms of RFC 9110
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "06 November 1994 8:49:37",
        "1994 nov 06 08:49:37 +0000",
        "08:49:37 6-Nov-1994",
        "Sun, 06 Nov 1994 08:49:37 GMT; 07:00:00 1 Jan 2001",
    ],
)
def test_the_forms_of_a_date(text):
    assert parse_date(text) == 784111777.0


@pytest.mark.parametrize(("year", "full"), [("70", 1970), ("99", 1999), ("00", 2000), ("69", 2069)])
def test_two_digit_years(year, full):
    assert parse_date(f"01-Mar-{year} 00:00:00") == datetime(full, 3, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "Sun, 06 Nov 1994",
        "Nov 1994 08:49:37",
        "06 1994 08:49:37",
        "06 Nov 08:49:37",
        "31 Feb 2020 00:00:00",
        "06 Nov 1994 24:00:00",
        "06 Nov 1994 08:60:37",
        "06 Nov 1600 08:49:37",
        "06 Nov 99999 08:49:37",
        "06 Nov \u0661\u0669\u0669\u0664 08:49:37",
        "9" * 5000,
    ],
)
def test_what_is_no_date(text):
    assert parse_date(text) is None


@given(st.integers(0, 253402300799))
def test_every_http_date_is_read(moment):
    assert parse_date(formatdate(moment, usegmt=True)) == moment


@given(st.text(st.sampled_from("0123456789: -;JanFeb,GMT/")) | st.text())
def test_never_raises(text):
    assert isinstance(parse_date(text), float | None)
