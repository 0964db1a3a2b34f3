"""Dates in headers. Pure; any thread."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_TOKENS = re.compile(r"[^\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+").findall
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?!\d)", re.ASCII).match
_DAY = re.compile(r"(\d{1,2})(?!\d)", re.ASCII).match
_YEAR = re.compile(r"(\d{2,4})(?!\d)", re.ASCII).match


def parse_date(text: str) -> float | None:
    """Seconds since 1970 of a date in a header, None where it is none. Never raises.

    By the tolerant algorithm of RFC 6265 §5.1.1, which reads the three forms of RFC 9110 §5.6.7 as well, and what
    servers send instead. All are GMT, whatever zone they name.
    """
    time = day = year = None
    month = 0
    for token in _TOKENS(text[:256]):
        if time is None and (found := _TIME(token)):
            time = int(found[1]), int(found[2]), int(found[3])
        elif day is None and (found := _DAY(token)):
            day = int(found[1])
        elif not month and token[:3].lower() in _MONTHS:
            month = _MONTHS[token[:3].lower()]
        elif year is None and (found := _YEAR(token)):
            year = int(found[1])
    if time is None or day is None or not month or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    if year < 1601:
        return None
    try:
        return datetime(year, month, day, *time, tzinfo=UTC).timestamp()
    except ValueError:
        return None
