"""The functions that make values of texts."""

import contextlib
import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.items import clean, join, regex, strip, take_first, to_date, to_datetime, to_int, to_number, to_price
from scrapekit.items.processors import NothingFound


@pytest.mark.parametrize(
    ("text", "number", "price"),
    [
        ("£51.77", 51.77, "51.77"),
        ("1.234,50 €", 1234.5, "1234.50"),
        ("$1,234.50 each", 1234.5, "1234.50"),
        ("1,234", 1234, "1234"),
        ("1.234", 1.234, "1234"),
        ("1.234.567", 1234567, "1234567"),
        ("1,5", 1.5, "1.5"),
        ("0.125", 0.125, "0.125"),
        ("0,125", 0.125, "0.125"),
        ("1 234,5", 1234.5, "1234.5"),
        ("1\u202f234", 1234, "1234"),
        ("1'234.5", 1234.5, "1234.5"),
        ("12,34,567.8", 1234567.8, "1234567.8"),
        ("-3", -3, "-3"),
        ("\u22123.5 C", -3.5, "-3.5"),
        ("item-3", 3, "3"),
        ("5 10", 5, "5"),
        ("v. 2.", 2, "2"),
        ("10-20", 10, "10"),
    ],
)
def test_numbers(text, number, price):
    assert to_number(text) == number
    assert str(to_price(text)) == price


@pytest.mark.parametrize("read", [to_number, to_int, to_price])
def test_no_number_is_an_error_and_no_text_is_nothing_found(read):
    with pytest.raises(ValueError, match="there is no number in it"):
        read("free")
    with pytest.raises(NothingFound):
        read(" \n")


def test_what_has_several_fractions_is_no_number():
    with pytest.raises(ValueError, match=r"'1\.2\.3' is not one number"):
        to_number("1.2.3")


def test_what_no_float_holds_is_no_number():
    with pytest.raises(ValueError, match="too large"):
        to_number("9" * 400)


def test_whole_numbers():
    assert to_int("In stock (1,022 available)") == 1022
    with pytest.raises(ValueError, match="2.5 is not a whole number"):
        to_int("2.5")


@given(st.text())
def test_any_text_is_a_number_or_a_value_error(text):
    for read in (to_number, to_int, to_price):
        with contextlib.suppress(ValueError):
            read(text)


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_prices_are_read_as_they_are_written_here_and_there(price):
    english = f"{price:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert to_price(f"£{english}") == to_price(f"{german} €") == Decimal(english.replace(",", ""))


def test_texts():
    assert strip("  a\n b ") == "a\n b"
    assert clean("  a\n\t b ") == "a b"
    assert join(", ")(["a", "b"]) == "a, b"
    assert take_first(["", None, 0, 1]) == 0
    with pytest.raises(NothingFound):
        take_first(["", None])


def test_regex():
    assert regex(r"(\d+) of (\d+)")("1 of 5") == "1"
    assert regex(r"\d+")("page 15") == "15"
    with pytest.raises(NothingFound, match="does not match 'none'"):
        regex(r"\d+")("none")


def test_dates():
    assert to_date("%B %d, %Y")(" March  14,\n1879 ") == dt.date(1879, 3, 14)
    assert to_date()("2026-11-21T10:00:00Z") == dt.date(2026, 11, 21)
    assert to_datetime()("2026-11-21T10:00:00Z") == dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)
    assert to_datetime("%d.%m.%Y %H:%M")("21.11.2026 10:30") == dt.datetime(2026, 11, 21, 10, 30)  # noqa: DTZ001
    with pytest.raises(ValueError, match="Invalid isoformat"):
        to_date()("soon")
