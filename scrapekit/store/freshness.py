"""What a private HTTP cache may store and reuse, as RFC 9111 has it. Pure functions; any thread.

Times are in seconds since 1970. Headers are the response's own, but for ``asked``: what the request was sent with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from urllib3 import HTTPHeaderDict

from scrapekit.web.dates import parse_date

HEURISTIC_SHARE = 0.1
HEURISTIC_MOST = 86_400.0
_MOST = 2.0**31  # RFC 9111, 1.2.2: a delta that is larger
_HEURISTIC = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})  # RFC 9110, 15.1
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  (RFC 9110, 5.6.2, not a secret)
_DIRECTIVE = re.compile(rf'({_TOKEN})(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,;\s]*)))?').finditer
_CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"})
# RFC 9111, 3.2: what a 304 does not update. The body is kept decoded, so what describes its coding goes with it.
# So does its type, for many a server sends its default one with what has no body: browsers keep it too.
_KEPT = frozenset(
    {"content-length", "content-encoding", "content-range", "content-type", "transfer-encoding", "connection"}
)


class Fresh(NamedTuple):
    """It may be used as it is; ``age`` is for its Age header."""

    age: float


class Stale(NamedTuple):
    """It may be used once the origin has said so, asked with these request headers."""

    conditions: dict[str, str]


class Unusable(NamedTuple):
    """It is no answer to this request."""


class Stored(NamedTuple):
    """A stored response, without its body.

    Args:
        status: Its status.
        headers: Its headers.
        vary: What :func:`selecting` gave for the request that it answered.
        requested: When the request was sent.
        received: When the response had come.
    """

    status: int
    headers: HTTPHeaderDict
    vary: Mapping[str, str]
    requested: float
    received: float


def bypasses(asked: HTTPHeaderDict) -> bool:
    """Whether the request has conditions or a range of its own, which are not for us to answer."""
    return any(name.lower() in _CONDITIONS for name in asked)


def storable(status: int, headers: HTTPHeaderDict, asked: HTTPHeaderDict, received: float) -> bool:
    """Whether the response to a GET may be stored (RFC 9111, 3), and could be of use."""
    said, wanted = _directives(headers), _directives(asked)
    if status < 200 or status in {206, 304} or "no-store" in said or "no-store" in wanted:
        return False
    if "*" in _varying(headers):
        return False
    if lifetime(status, headers, received) > 0:
        return True
    return bool(_conditions(headers)) and (status in _HEURISTIC or _is_explicit(headers, said))


def decide(stored: Stored, asked: HTTPHeaderDict, now: float) -> Fresh | Stale | Unusable:
    """Whether a stored response answers a GET of the same URL (RFC 9111, 4)."""
    if selecting(stored.headers, asked) != stored.vary:  # 4.1
        return Unusable()
    said, wanted = _directives(stored.headers), _directives(asked)
    if "no-store" in wanted:  # 5.2.1.5
        return Unusable()
    old = age(stored, now)
    left = lifetime(stored.status, stored.headers, stored.received) - old
    unasked = "no-cache" not in said and "no-cache" not in wanted  # 5.2.2.4, 5.2.1.4
    if not wanted and "no-cache" in asked.get("pragma", "").lower():  # 5.4
        unasked = False
    if unasked and left > 0 and old <= _delta(wanted, "max-age", _MOST) and left >= _delta(wanted, "min-fresh", 0.0):
        return Fresh(old)
    conditions = _conditions(stored.headers)
    return Stale(conditions) if conditions else Unusable()


def lifetime(status: int, headers: HTTPHeaderDict, received: float) -> float:
    """Seconds from its making on for which a response is fresh (RFC 9111, 4.2.1 and 4.2.2).

    Args:
        status: Its status.
        headers: Its headers.
        received: When it came, for one without Date.
    """
    said = _directives(headers)
    if "max-age" in said:
        return _delta(said, "max-age", 0.0)
    made = parse_date(headers.get("date", ""))
    start = received if made is None else made
    if "expires" in headers:
        ends = parse_date(headers.get("expires", ""))
        return 0.0 if ends is None else min(max(ends - start, 0.0), _MOST)  # a date that is none, such as 0, has passed
    changed = parse_date(headers.get("last-modified", ""))
    if changed is None or not (status in _HEURISTIC or "public" in said):
        return 0.0
    return min(max(HEURISTIC_SHARE * (start - changed), 0.0), HEURISTIC_MOST)


def age(stored: Stored, now: float) -> float:
    """Seconds since the origin made or confirmed it (RFC 9111, 4.2.3)."""
    made = parse_date(stored.headers.get("date", ""))
    apparent = 0.0 if made is None else max(0.0, stored.received - made)
    told = stored.headers.get("age", "").partition(",")[0].strip()
    corrected = (min(float(told), _MOST) if told.isascii() and told.isdigit() else 0.0) + (
        stored.received - stored.requested
    )
    return max(apparent, corrected) + max(0.0, now - stored.received)


def selecting(headers: HTTPHeaderDict, asked: HTTPHeaderDict) -> dict[str, str]:
    """The request headers that a response's Vary names, each with a digest of its value (RFC 9111, 4.1).

    A digest, because values such as that of Cookie are nobody's business who reads the cache.
    """
    return {
        name: blake2b(" ".join(asked.get(name, "").split()).encode(), digest_size=16).hexdigest()
        for name in sorted(_varying(headers))
    }


def updated(stored: HTTPHeaderDict, fresh: HTTPHeaderDict) -> HTTPHeaderDict:
    """The headers of a stored response after a 304 (RFC 9111, 3.2)."""
    names = {name.lower() for name in fresh} - _KEPT
    both = HTTPHeaderDict((name, value) for name, value in stored.iteritems() if name.lower() not in names)
    for name, value in fresh.iteritems():
        if name.lower() in names:
            both.add(name, value)
    return both


def _varying(headers: HTTPHeaderDict) -> set[str]:
    return {name.strip().lower() for name in headers.get("vary", "").split(",") if name.strip()}


def _conditions(headers: HTTPHeaderDict) -> dict[str, str]:
    """The headers of a request that validates the response (RFC 9111, 4.3.1)."""
    pairs = (("If-None-Match", headers.get("etag")), ("If-Modified-Since", headers.get("last-modified")))
    return {name: value for name, value in pairs if value}


def _is_explicit(headers: HTTPHeaderDict, said: Mapping[str, str]) -> bool:
    return "expires" in headers or not said.keys().isdisjoint({"max-age", "public", "private"})


def _directives(headers: HTTPHeaderDict) -> dict[str, str]:
    """Cache-Control by directive, in lower case; of one that is there twice, the first (RFC 9111, 4.2.1)."""
    found: dict[str, str] = {}
    for name, quoted, bare in (match.groups() for match in _DIRECTIVE(headers.get("cache-control", "")[:4096])):
        found.setdefault(name.lower(), quoted or bare or "")
    return found


def _delta(directives: Mapping[str, str], name: str, missing: float) -> float:
    """Seconds; what is no number makes a response stale (RFC 9111, 4.2.1)."""
    value = directives.get(name)
    if value is None:
        return missing
    return min(float(value), _MOST) if value.isascii() and value.isdigit() else 0.0
