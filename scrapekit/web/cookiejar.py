"""The :class:`CookieJar`: the cookies of a crawl."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from scrapekit.errors import FrontierError
from scrapekit.web.cookies import Cookie, parse_set_cookie
from scrapekit.web.scope import with_parents
from scrapekit.web.urls import address

PER_DOMAIN = 180
"""Cookies that a domain may have in a session, as in browsers (RFC 6265 §6.1 asks for 50)."""

PER_SESSION = 3000
"""Cookies that a session may have (RFC 6265 §6.1)."""

SESSIONS = 1000
"""Sessions that are kept: those that got a cookie last."""

Saved = tuple[str, str, bytes | None]
"""A session, a domain, and its cookies as JSON; None where there are none any more."""


class CookieJar:
    """The cookies of all sessions of a crawl. A session is what a browser profile is. Engine thread only."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._changed: set[tuple[str, str]] = set()  # sessions and domains that have not been saved as they are

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
        return cookie is not None and self._put(session, cookie, now, secure=url[:6].lower() == "https:")

    def put(self, cookies: Mapping[str, str | None], url: str, now: float, session: str = "") -> None:
        """Take cookies for the host of ``url``, for https alone if that is; None takes one out.

        Raises:
            RequestInvalid: ``url`` can't be fetched.
        """
        secure = "; Secure" if url[:6].lower() == "https:" else ""
        for name, value in cookies.items():
            self.set(f"{name}={value or ''}; Path=/{secure}{'; Max-Age=0' if value is None else ''}", url, now, session)

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

    def changes(self) -> list[Saved]:
        """What to save: the domains whose cookies have changed since this was last called. The order means nothing."""
        changed, self._changed = self._changed, set()
        rows: list[Saved] = []
        for session, domain in changed:
            jar = self._sessions.get(session)
            bucket = None if jar is None else jar.domains.get(domain)
            rows.append((session, domain, _encode(list(bucket.values())) if bucket else None))
        return rows

    def load(self, saved: Iterable[tuple[str, bytes]]) -> None:
        """Add what was saved, session cookies too: a crawl that is resumed goes on as the same visitor.

        Args:
            saved: A session, and the cookies of one of its domains as :meth:`changes` had them.

        Raises:
            FrontierError: It is not what that returns.
        """
        for session, cookies in saved:
            try:
                found = _decode(cookies)
            except msgspec.DecodeError as error:
                raise FrontierError(f"the saved cookies can't be read: {error}") from error
            for cookie in found:
                self._put(session, cookie, cookie.created, secure=True)
        self._changed.clear()

    def _put(self, session: str, cookie: Cookie, now: float, *, secure: bool) -> bool:
        jar = self._sessions.pop(session, None) or _Session()
        self._sessions[session] = jar  # the last one now
        if not secure and jar.guarded(cookie):
            return False
        touched = jar.put(cookie, now)
        self._changed.update((session, domain) for domain in touched)
        if len(self._sessions) > SESSIONS:
            name, oldest = next(iter(self._sessions.items()))
            del self._sessions[name]
            self._changed.update((name, domain) for domain in oldest.domains)
        return bool(touched)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Cookie]).decode


class _Session:
    """The cookies of one session, by domain, then by path and name; in each domain the oldest first."""

    __slots__ = ("domains", "size")

    def __init__(self) -> None:
        self.domains: dict[str, dict[tuple[str, str], Cookie]] = {}
        self.size = 0

    def cookies(self) -> list[Cookie]:
        return [cookie for bucket in self.domains.values() for cookie in bucket.values()]

    def guarded(self, cookie: Cookie) -> bool:
        """Whether what came by plain http would take the place of a secure cookie, or hide it (6265bis §5.7)."""
        return any(
            old.secure and old.name == cookie.name and cookie.path.startswith(old.path)
            for domain in with_parents(cookie.domain)
            for old in self.domains.get(domain, {}).values()
        )

    def put(self, cookie: Cookie, now: float) -> set[str]:
        """Set, replace or delete. Returns the domains that it changed."""
        bucket = self.domains.get(cookie.domain, {})
        old = bucket.get((cookie.path, cookie.name))
        if _expired(cookie, now):
            if old is not None:
                self._drop(old)
            return set() if old is None else {cookie.domain}
        if old is not None:
            cookie = msgspec.structs.replace(cookie, created=old.created)
            bucket[cookie.path, cookie.name] = cookie
            return set() if cookie == old else {cookie.domain}
        touched = {cookie.domain}
        if len(bucket) >= PER_DOMAIN:
            self._drop(next((c for c in bucket.values() if _expired(c, now)), next(iter(bucket.values()))))
        if self.size >= PER_SESSION:  # a tenth at once, so that a jar that stays full stays cheap
            oldest = sorted(self.cookies(), key=lambda c: (not _expired(c, now), c.created))
            for victim in oldest[: PER_SESSION // 10]:
                self._drop(victim)
                touched.add(victim.domain)
        self.domains.setdefault(cookie.domain, {})[cookie.path, cookie.name] = cookie
        self.size += 1
        return touched

    def _drop(self, cookie: Cookie) -> None:
        bucket = self.domains[cookie.domain]
        del bucket[cookie.path, cookie.name]
        self.size -= 1
        if not bucket:
            del self.domains[cookie.domain]


def _expired(cookie: Cookie, now: float) -> bool:
    return cookie.expires is not None and cookie.expires <= now
