"""What comes from the web can't drive the terminal that it is shown on."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.safe import safe, safe_lines


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
