"""What turns the text of a page into a value: plain functions, and functions that make some. Pure; any thread.

Each raises a ValueError that says what it can't read: the item is rejected then. Any function of one value will do as
well: ``int``, ``str.lower``, a lambda.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from math import isinf
from typing import TypeVar

T = TypeVar("T")

_BLANKS = "'\u2019\u00a0\u202f "  # which some put between groups of three digits
_NUMBER = re.compile(rf"(?:(?<!\w)[+\-\u2212])?(?:\d{{1,3}}(?:[{_BLANKS}]\d{{3}})+(?!\d)(?:[.,]\d+)?|\d(?:[\d.,]*\d)?)")


class NothingFound(ValueError):  # noqa: N818  (it says what happened; with a default it is none)
    """There is nothing on the page: a field with a default has that."""


def strip(text: str) -> str:
    """Without blanks at its ends."""
    return text.strip()


def clean(text: str) -> str:
    """The same, with one space for each run of blanks and line ends within."""
    return " ".join(text.split())


def to_number(text: str) -> float:
    """The first number in ``text``, whatever stands around it: ``"weighs 1,234.5 kg"`` is 1234.5.

    Of point and comma, the one that comes last begins the fraction, if both are there. A point alone does so; a comma
    alone unless groups of three digits follow: ``"1.234"`` is 1.234, ``"1,234"`` is 1234, ``"1,5"`` is 1.5.

    Raises:
        ValueError: There is no number, or one too large for a float.
    """
    number = float(_number(text, ","))
    if isinf(number):  # which would be null in the output
        raise ValueError("the number is too large")
    return number


def to_int(text: str) -> int:
    """The first whole number in ``text``, as of :func:`to_number`: ``"In stock (1,022 available)"`` is 1022.

    Raises:
        ValueError: There is no number, or it has a fraction.
    """
    number = _number(text, ",")
    if number != int(number):
        raise ValueError(f"{number} is not a whole number")
    return int(number)


def to_price(text: str) -> Decimal:
    """The first number in ``text``, with its digits: ``"1.234,50 €"`` is Decimal("1234.50").

    As :func:`to_number`, but with a point as with a comma: no price has three decimals, so ``"1.234 €"`` is 1234.

    Raises:
        ValueError: There is no number.
    """
    return _number(text, ".,")


def _number(text: str, grouping: str) -> Decimal:
    """The first number, where the marks of ``grouping`` stand between groups of three digits, if there are such."""
    found = _NUMBER.search(text)
    if found is None:
        if not text.strip():
            raise NothingFound("there is no text")
        raise ValueError("there is no number in it")
    number = found[0].replace("\u2212", "-").translate(dict.fromkeys(map(ord, _BLANKS)))
    whole, mark, fraction = number.rpartition(max(".,", key=number.rfind))
    if not mark:
        return Decimal(number)
    other = "." if mark == "," else ","
    groups = not whole.lstrip("+-").startswith("0") and all(
        len(group) == 3 for group in f"{whole}{mark}{fraction}".split(mark)[1:]
    )
    if other not in whole and groups and (mark in grouping or mark in whole):
        return Decimal(number.replace(mark, ""))
    if mark in whole:
        raise ValueError(f"{number!r} is not one number")
    return Decimal(f"{whole.replace(other, '')}.{fraction}")


def to_date(form: str | None = None) -> Callable[[str], dt.date]:
    """Makes dates of texts in this form, of ``strptime()``: ``to_date("%B %d, %Y")``; without, as in ISO 8601."""
    read = to_datetime(form)

    def to_date(text: str) -> dt.date:
        return read(text).date()

    return to_date


def to_datetime(form: str | None = None) -> Callable[[str], dt.datetime]:
    """The same with the time of day; without a zone in the text, it has none."""

    def to_datetime(text: str) -> dt.datetime:
        text = clean(text)
        if form is None:
            return dt.datetime.fromisoformat(text)
        return dt.datetime.strptime(text, form)  # noqa: DTZ007  (the page says no zone, so we know none)

    return to_datetime


def regex(pattern: str) -> Callable[[str], str]:
    """Takes the first match of a pattern out of a text: its first group, if it has one. No match is nothing found."""
    compiled = re.compile(pattern)

    def regex(text: str) -> str:
        found = compiled.search(text)
        if found is None:
            raise NothingFound(f"{pattern!r} does not match {text!r:.100}")
        return str(found[1] if compiled.groups else found[0])

    return regex


def join(separator: str = " ") -> Callable[[Iterable[str]], str]:
    """Makes one text of many: ``each("p::text", strip).then(join())``."""
    return separator.join


def take_first(values: Sequence[T]) -> T:
    """The first value that is not None and no empty text: ``each("h1::text, h2::text", strip).then(take_first)``."""
    for value in values:
        if value is not None and value != "":
            return value
    raise NothingFound("all that matches is empty")
