"""What comes from the web can't drive the terminal that it is shown on."""

from __future__ import annotations

import logging
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit import Request
from scrapekit.errors import ItemError, RequestInvalid, SettingsError, StatusError
from scrapekit.messages import Lease
from scrapekit.messages.reason import reason
from scrapekit.safe import LOG_FORMAT, masked, safe, safe_lines, without_userinfo


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u00e9 \u65e5 [bold]x[/bold]", "plain \u00e9 \u65e5 [bold]x[/bold]"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00"),
        ("a\u202egnp.exe\u2066\u200f", r"a\u202egnp.exe\u2066\u200f"),
        ("\ud800", r"\ud800"),
        (" two \r\n\tlines\u2028 ", "two lines"),
        ("http://user:pass@host/p and ftp://TOKEN@host", "http://***@host/p and ftp://***@host"),
        ("http://a:p@ss@host/", "http://***@host/"),
        ("http://host/a@b?c=d@e mailto:a@b", "http://host/a@b?c=d@e mailto:a@b"),
        ("socks5h://u:p@h 'https://t@h/'", "socks5h://***@h 'https://***@h/'"),
        ("Authorization: Basic dTpw", "Authorization: Basic ***"),
        ("{'Proxy-Authorization': 'Bearer abc', 'A': 'b'}", "{'Proxy-Authorization': 'Bearer ***', 'A': 'b'}"),
        ("authorization=token, more", "authorization=***, more"),
        ("sent Bearer abc.def-123 to it", "sent Bearer *** to it"),
        ("got basic dXNlcjpwYXNzd29yZA==; no", "got basic ***; no"),
        ("a basic misunderstanding, a bearer of news", "a basic misunderstanding, a bearer of news"),
    ],
)
def test_text_is_shown_and_does_nothing_else(text, shown):
    assert safe(text) == shown


def test_long_text_is_cut_off():
    assert safe("x" * 300) == "x" * 300
    assert safe("x" * 301) == "x" * 299 + "\N{HORIZONTAL ELLIPSIS}"


def test_several_lines_keep_their_indents():
    assert safe_lines("a\n\tb \x1b\r http://u:p@h/\n") == "a\n\tb \\x1b\\r http://***@h/\n"


@given(st.text())
def test_no_text_can_do_more_than_be_shown(text):
    for shown in (safe(text), safe_lines(text).replace("\n", "").replace("\t", "")):
        shown.encode()
        assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}]
        assert not [char for char in shown if unicodedata.bidirectional(char) in {"LRO", "RLO", "LRE", "RLE", "PDF"}]


@given(st.text())
def test_what_is_masked_stays_masked(text):
    shown = masked(f"{text} https://user:hunter2@host/ {text}")
    assert "hunter2" not in shown
    assert masked(shown) == shown


@pytest.mark.parametrize("name", ["password", "PASSWORD", "passwd", "pass", "sslpassword", "ssl_password"])
def test_a_password_in_a_query_is_masked(name):
    shown = masked(f"postgresql://h/db?a=1&{name}=hunter2&b=2#c")
    assert shown == f"postgresql://h/db?a=1&{name}=***&b=2#c"
    assert masked(shown) == shown
    assert masked("https://h/?passage=1&bypass=2") == "https://h/?passage=1&bypass=2"


def test_masking_is_linear():
    for text in (
        "?password=",
        "://",
        "authorization ",
        "basic ",
        "bearer a",
        "Authorization: a ",
        "://a@",
        "authorization" + " " * 9,
    ):
        started = time.process_time()
        masked(text * (200_000 // len(text)))
        assert time.process_time() - started < 5


def test_no_error_of_ours_tells_a_password():
    for kind in (ItemError, RequestInvalid, SettingsError, StatusError):
        error = kind("no https://me:hunter2@host/ with Authorization: Bearer hunter2")
        assert "hunter2" not in f"{error} {error!r} {error.args}"
    with pytest.raises(RequestInvalid) as caught:
        Request("https://me:hunter2@host/", priority="high")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in reason(ValueError("https://me:hunter2@host/" + 5000 * "x"))
    assert "hunter2" not in reason(ValueError(970 * "x" + "https://me:hunter2" + 100 * "2" + "@host/"))


def test_no_request_shows_a_password():
    request = Request(
        "https://me:hunter2@host/", proxy="http://me:hunter2@p", headers={"Authorization": "Bearer hunter2"}
    )
    lease = Lease(1, request, "host", proxy="http://me:hunter2@q", authorization="Bearer hunter2", cookies="hunter2")
    assert "hunter2" not in repr(request) + repr(lease)
    assert "https://***@host/" in repr(lease)


def test_log_lines_are_safe_with_their_tracebacks():
    try:
        raise ValueError("https://me:hunter2@host/ \x1b[31m")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.INFO, "f", 1, "title \x1b]0;x\x07 %s", ("ftp://t0ken@h",), info)
    shown = LOG_FORMAT.format(record)
    for hidden in ("\x1b", "\x07", "hunter2", "t0ken"):
        assert hidden not in shown
    assert shown.splitlines()[1] == "Traceback (most recent call last):"


def test_user_and_password_can_be_taken_off():
    assert without_userinfo("socks5://u:p@h:1/") == "socks5://h:1/"
