"""Header values, read tolerantly: no value makes these functions raise. Pure; any thread."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from scrapekit.web.dates import parse_date

LONGEST_WAIT = 31_536_000.0
"""Seconds. A Retry-After beyond a year is a year."""


class ContentType(NamedTuple):
    """A Content-Type: the media type in lower case (``""`` where it is missing or malformed), the charset's label."""

    media_type: str
    charset: str | None = None


_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  (RFC 9110 §5.6.2, not a secret)
_MEDIA_TYPE = re.compile(rf"\s*({_TOKEN}/{_TOKEN})\s*(?=[;,]|$)").match
_PARAMETERS = re.compile(rf';\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;,\s]*))').finditer
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?").fullmatch


@lru_cache(256)
def content_type(value: str | None) -> ContentType:
    """The parts of a Content-Type header (RFC 9110 §8.3). Of several joined by commas, the first."""
    found = _MEDIA_TYPE(value or "")
    charset = None
    for name, quoted, bare in (match.groups() for match in _PARAMETERS((value or "")[:1024])):
        if name.lower() == "charset":
            charset = (quoted or bare or "").strip("'\" ").lower() or None
            break
    return ContentType(found[1].lower() if found else "", charset)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110 §10.2.3), None where it says nothing that can be read.

    Args:
        value: Seconds, also with a fraction, or a date in any of the three forms of HTTP.
        now: Seconds since 1970.

    Returns:
        0 for a date that has passed, at most LONGEST_WAIT.
    """
    value = (value or "").strip()
    if _SECONDS(value):
        return min(float(value), LONGEST_WAIT)
    moment = parse_date(value)
    return None if moment is None else min(max(moment - now, 0.0), LONGEST_WAIT)
