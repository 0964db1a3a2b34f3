from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.web.headers import LONGEST_WAIT, content_type, retry_after


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("text/html", ("text/html", None)),
        ("Text/HTML; Charset=UTF-8", ("text/html", "utf-8")),
        ('text/html;charset="utf-8"', ("text/html", "utf-8")),
        ("text/html; charset='utf-8'", ("text/html", "utf-8")),
        ("text/html ; version=1 ; charset = utf-8 ;x", ("text/html", "utf-8")),
        ("text/html;;charset=utf-8", ("text/html", "utf-8")),
        ('text/html; a="; charset=evil"; charset=utf-8', ("text/html", "utf-8")),
        ("text/html; charset=a; charset=b", ("text/html", "a")),
        ("text/html; charset=utf-8, text/plain", ("text/html", "utf-8")),
        ("text/html, text/plain; charset=utf-8", ("text/html", "utf-8")),
        ("application/rss+xml", ("application/rss+xml", None)),
        ("text/html; charset=", ("text/html", None)),
        ("text/html; xcharset=a", ("text/html", None)),
        ("; charset=utf-8", ("", "utf-8")),
        ("html", ("", None)),
        ("text/html utf-8", ("", None)),
        ("text/", ("", None)),
        ("", ("", None)),
        (None, ("", None)),
    ],
)
def test_content_type(value, found):
    assert content_type(value) == found


@given(st.text(st.sampled_from('a/;="\\ charset,')) | st.text())
def test_content_type_never_raises(value):
    found = content_type(value)
    assert found.media_type == found.media_type.lower()
    assert found.charset != ""


NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Sun Nov  6 08:50:37 1994", 60.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Fri, 06 Nov 1970 08:49:37 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("-5", None),
        ("1e9", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after(value, NOW) == seconds


@given(st.text() | st.integers().map(str) | st.dates().map("{:%a, %d %b %Y} 00:00:00 GMT".format), st.floats(0, 1e11))
def test_retry_after_is_none_or_a_wait_of_at_most_a_year(value, now):
    found = retry_after(value, now)
    assert found is None or 0 <= found <= LONGEST_WAIT
