"""Cookies as RFC 6265 has them, with the prefixes and limits of its successor (6265bis), as pure data."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from scrapekit.web.dates import parse_date
from scrapekit.web.suffixes import is_public_suffix
from scrapekit.web.urls import address

MAX_SIZE = 4096
"""Characters of a cookie's name and value together."""

LONGEST_LIFE = 400 * 86_400.0
"""Seconds. A cookie that wants to live longer is cut to this (6265bis §5.5)."""

_FORBIDDEN = re.compile(r"[^\t\x20-\x7e\x80-\xff]").search  # control characters, and what a header can't hold
_NUMBER = re.compile(r"-?[0-9]+").fullmatch


class Cookie(msgspec.Struct, frozen=True, omit_defaults=True):
    """One cookie. Immutable.

    Args:
        name: As it was sent.
        value: As it was sent, with its quotes.
        domain: In the spelling of ``Address.host``.
        path: Absolute.
        created: Seconds since 1970.
        expires: Seconds since 1970, None for a session cookie. In the past: the cookie is to be deleted.
        host_only: It is not for subdomains.
        secure: It is for https only.
    """

    name: str
    value: str
    domain: str
    path: str
    created: float
    expires: float | None = None
    host_only: bool = False
    secure: bool = False

    def fits(self, host: str, path: str, secure: bool, now: float) -> bool:
        """Whether it is sent to that host, whose domain is known to match, and path (RFC 6265 §5.4)."""
        return (
            (self.expires is None or self.expires > now)
            and (secure or not self.secure)
            and (not self.host_only or self.domain == host)
            and path.startswith(self.path)
            and (self.path.endswith("/") or path[len(self.path) : len(self.path) + 1] in {"", "/"})
        )


def parse_set_cookie(header: str, url: str, now: float) -> Cookie | None:
    """The cookie of one Set-Cookie header (RFC 6265 §5.2, §5.3), None where it is refused.

    Refused are cookies without a name, over MAX_SIZE, with control characters, for a foreign domain or a public
    suffix, ``Secure`` ones from plain http, and those that break the promise of their ``__Host-`` or ``__Secure-``.

    Args:
        header: As http.client gives it.
        url: The URL that answered.
        now: Seconds since 1970.

    Raises:
        RequestInvalid: ``url`` can't be fetched.
    """
    target = address(url)
    pair, *attributes = header.split(";")
    name, equals, value = (part.strip(" \t") for part in pair.partition("="))
    if not name or not equals or len(name) + len(value) > MAX_SIZE or _FORBIDDEN(header):
        return None
    given: dict[str, str] = {}
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        if len(text) <= 1024:
            given[key.strip(" \t").lower()] = text.strip(" \t")
    path = given.get("path", "")
    if not path.startswith("/"):
        path = urlsplit(target.url).path.rpartition("/")[0] or "/"
    secure = "secure" in given
    domain = _domain(given.get("domain", ""), target.host)
    prefix = name.lower()
    if (
        domain is None
        or (secure and not target.url.startswith("https:"))
        or (prefix.startswith("__secure-") and not secure)
        or (prefix.startswith("__host-") and not (secure and given.get("path") == "/" and not given.get("domain")))
    ):
        return None
    expires = _expires(given, now)
    return Cookie(name, value, domain or target.host, path, now, expires, host_only=not domain, secure=secure)


def _expires(given: dict[str, str], now: float) -> float | None:
    """When it ends: Max-Age counts before Expires, what can't be read doesn't count."""
    age = given.get("max-age", "")
    moment = now + float(age) if _NUMBER(age) else parse_date(given.get("expires", ""))
    return None if moment is None else min(max(moment, 0.0), now + LONGEST_LIFE)


def _domain(wanted: str, host: str) -> str | None:
    """The domain of the cookie, ``""`` for the host alone, None where ``host`` may not set it."""
    wanted = wanted.removeprefix(".").lower()
    if not wanted:
        return ""
    if wanted != host and (not host.endswith(f".{wanted}") or host.rpartition(".")[2].isdigit()):
        return None
    if is_public_suffix(wanted):
        return "" if wanted == host else None
    return wanted
