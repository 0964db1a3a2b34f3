"""The :class:`CookieJar`: the cookies of a crawl."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from scrapekit.errors import FrontierError
from scrapekit.web.cookies import Cookie, parse_set_cookie
from scrapekit.web.scope import with_parents
from scrapekit.web.urls import address

PER_DOMAIN = 50
"""Cookies that a domain may have in a session (RFC 6265 §6.1)."""

PER_SESSION = 3000
"""Cookies that a session may have (RFC 6265 §6.1)."""


class CookieJar:
    """The cookies of all sessions of a crawl. A session is what a browser profile is. Engine thread only.

    Attributes:
        version: Grows whenever a cookie is set, replaced or deleted, so that it is known when to save.
    """

    def __init__(self) -> None:
        self.version = 0
        self._sessions: dict[str, _Session] = {}

    def __len__(self) -> int:
        return sum(session.size for session in self._sessions.values())

    def set(self, header: str, url: str, now: float, session: str = "") -> bool:
        """Take one Set-Cookie header that came from ``url``.

        Returns:
            Whether it changed anything; False where it was refused.

        Raises:
            RequestInvalid: ``url`` can't be fetched.
        """
        cookie = parse_set_cookie(header, url, now)
        return cookie is not None and self._put(session, cookie, now)

    def header_for(self, url: str, now: float, session: str = "") -> str | None:
        """The Cookie header for a request to ``url``: longer paths, then older cookies first. None where none fits.

        Raises:
            RequestInvalid: ``url`` can't be fetched.
        """
        jar = self._sessions.get(session)
        if jar is None:
            return None
        url, host, _ = address(url)
        buckets = [jar.domains[domain] for domain in with_parents(host) if domain in jar.domains]
        if not buckets:
            return None
        path, secure = urlsplit(url).path, url.startswith("https:")
        found = [cookie for bucket in buckets for cookie in bucket.values() if cookie.fits(host, path, secure, now)]
        found.sort(key=lambda cookie: (-len(cookie.path), cookie.created))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in found) or None

    def dump(self) -> list[tuple[str, dict[str, Any]]]:
        """All cookies as JSON values: the session, and the fields of the :class:`Cookie`."""
        return [(name, msgspec.to_builtins(cookie)) for name, jar in self._sessions.items() for cookie in jar.cookies()]

    def load(self, dumped: Iterable[Any]) -> None:
        """Add what :meth:`dump` returned, session cookies too: a crawl that is resumed goes on as the same visitor.

        Raises:
            FrontierError: It is not what dump returns.
        """
        try:
            saved = msgspec.convert(list(dumped), list[tuple[str, Cookie]])
        except msgspec.ValidationError as error:
            raise FrontierError(f"the saved cookies can't be read: {error}") from error
        for session, cookie in saved:
            self._put(session, cookie, cookie.created)

    def _put(self, session: str, cookie: Cookie, now: float) -> bool:
        jar = self._sessions.setdefault(session, _Session())
        changed = jar.put(cookie, now)
        self.version += changed
        return changed


class _Session:
    """The cookies of one session, by domain, then by path and name; in each domain the oldest first."""

    __slots__ = ("domains", "size")

    def __init__(self) -> None:
        self.domains: dict[str, dict[tuple[str, str], Cookie]] = {}
        self.size = 0

    def cookies(self) -> list[Cookie]:
        return [cookie for bucket in self.domains.values() for cookie in bucket.values()]

    def put(self, cookie: Cookie, now: float) -> bool:
        """Set, replace or delete. Returns whether that changed anything."""
        bucket = self.domains.get(cookie.domain, {})
        old = bucket.get((cookie.path, cookie.name))
        if _expired(cookie, now):
            if old is not None:
                self._drop(old)
            return old is not None
        if old is not None:
            cookie = msgspec.structs.replace(cookie, created=old.created)
            bucket[cookie.path, cookie.name] = cookie
            return cookie != old
        if len(bucket) >= PER_DOMAIN:
            self._drop(next((c for c in bucket.values() if _expired(c, now)), next(iter(bucket.values()))))
        if self.size >= PER_SESSION:  # a tenth at once, so that a jar that stays full stays cheap
            oldest = sorted(self.cookies(), key=lambda c: (not _expired(c, now), c.created))
            for victim in oldest[: PER_SESSION // 10]:
                self._drop(victim)
        self.domains.setdefault(cookie.domain, {})[cookie.path, cookie.name] = cookie
        self.size += 1
        return True

    def _drop(self, cookie: Cookie) -> None:
        bucket = self.domains[cookie.domain]
        del bucket[cookie.path, cookie.name]
        self.size -= 1
        if not bucket:
            del self.domains[cookie.domain]


def _expired(cookie: Cookie, now: float) -> bool:
    return cookie.expires is not None and cookie.expires <= now
