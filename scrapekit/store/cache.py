"""The caches: :class:`DevCache` answers everything from disk, :class:`HttpCache` what RFC 9111 lets it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from urllib3 import HTTPHeaderDict

from scrapekit.download import PoolStats, Reply, Source
from scrapekit.download.headers import headers_for
from scrapekit.messages import Request, Spool
from scrapekit.safe import masked
from scrapekit.store import freshness
from scrapekit.store.files import CacheFiles, Found, Head

_PASSING = frozenset({408, 425, 429})  # statuses that say: ask again later; those from 500 on do so too
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, 9.2.1, of those that Request has


class DevCache:
    """Asks the source for what was never asked before, and the disk for everything else. Any thread.

    Kept is every response but those that ask to be asked again later (408, 425, 429, 5xx); failures are not.

    Args:
        source: Asked for what is not there.
        files: Where it is.
    """

    def __init__(self, source: Source, files: CacheFiles) -> None:
        self._source = source
        self._files = files

    def fetch(self, request: Request, *, authorization: str | None = None, again: bool = False, **hop: Any) -> Reply:
        """One hop, as :meth:`Downloader.fetch` makes it; flagged ``cached`` where no host was asked."""
        key = self._files.key(request, authorization)
        with self._files.open(key) as found:
            if found is not None and not again:
                return _reply(self._files, found, request, found.head.headers)
        reply = self._source.fetch(request, authorization=authorization, **hop)
        if reply.status < 500 and reply.status not in _PASSING:
            self._files.put(key, _head(reply), reply.body)
        return reply

    def stats(self) -> PoolStats:
        """The source's."""
        return self._source.stats()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class HttpCache:
    """A private cache: responses to GET are kept and reused as RFC 9111 has it. Any thread.

    Of each URL, session and credentials there is one response; one for other values of what Vary names takes its place.

    Args:
        source: Asked for what is not there or not fresh.
        files: Where it is.
        headers: What the source sends with every request, for Vary.
        clock: Seconds since 1970.
    """

    def __init__(
        self, source: Source, files: CacheFiles, headers: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._source = source
        self._files = files
        self._headers = dict(headers)
        self._clock = clock

    def fetch(
        self,
        request: Request,
        *,
        cookies: str | None = None,
        authorization: str | None = None,
        again: bool = False,
        **hop: Any,
    ) -> Reply:
        """One hop, as :meth:`Downloader.fetch` makes it.

        Flagged ``cached`` where no host was asked, ``revalidated`` where its answer was that nothing has changed.
        """
        hop |= {"cookies": cookies, "authorization": authorization}
        origin = request.url[: request.url.index("/", 8)]
        asked = HTTPHeaderDict(headers_for(request, origin, self._headers, cookies, authorization)[1])
        key = self._files.key(request, authorization, "GET")
        if request.method != "GET" or request.body is not None or freshness.bypasses(asked):
            reply = self._source.fetch(request, **hop)
            if request.method not in _SAFE and 200 <= reply.status < 400:  # RFC 9111, 4.4
                self._files.forget(self._files.key(request.replace(body=None), authorization, "GET"))
            return reply
        with self._files.open(key) as found:
            if found is not None and not again:
                stored = _stored(found.head)
                verdict = freshness.decide(stored, asked, self._clock())
                if isinstance(verdict, freshness.Fresh):
                    headers = [pair for pair in found.head.headers if pair[0].lower() != "age"]
                    return _reply(self._files, found, request, [*headers, ("Age", str(int(verdict.age)))])
                if isinstance(verdict, freshness.Stale):
                    conditional = request.replace(headers={**request.headers, **verdict.conditions})
                    return self._store(key, conditional, asked, hop, found)
        return self._store(key, request, asked, hop)

    def stats(self) -> PoolStats:
        """The source's."""
        return self._source.stats()

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _store(
        self, key: str, request: Request, asked: HTTPHeaderDict, hop: dict[str, Any], found: Found | None = None
    ) -> Reply:
        """Ask the source, and keep its answer; where that is a 304, what was ``found`` with the headers of the 304."""
        requested = self._clock()
        reply = self._source.fetch(request, **hop)
        received = self._clock()
        if reply.status == 304 and found is not None:  # RFC 9111, 4.3.4
            body = self._files.body(found)
            headers = freshness.updated(HTTPHeaderDict(found.head.headers), reply.headers)
            kept = (*found.head.flags, *reply.flags, "revalidated")
            whole = Reply(reply.url, found.head.status, headers, body, reply.elapsed, kept)
        else:
            whole = reply
        if freshness.storable(whole.status, whole.headers, asked, received):
            head = _head(whole)
            # As in browsers: an old cookie must not come back and take the place of a newer one.
            head.headers = [pair for pair in head.headers if pair[0].lower() != "set-cookie"]
            head.flags = tuple(flag for flag in head.flags if flag != "revalidated")
            head.vary = freshness.selecting(whole.headers, asked)
            head.requested, head.received = requested, received
            self._files.put(key, head, whole.body)
        elif found is not None and whole.status < 500:
            self._files.forget(key)
        return whole


def _head(reply: Reply) -> Head:
    return Head(masked(reply.url), reply.status, list(reply.headers.iteritems()), reply.flags, len(reply.body))


def _stored(head: Head) -> freshness.Stored:
    return freshness.Stored(head.status, HTTPHeaderDict(head.headers), head.vary, head.requested, head.received)


def _reply(files: CacheFiles, found: Found, request: Request, headers: list[tuple[str, str]]) -> Reply:
    body: bytes | Spool = files.body(found)
    return Reply(request.url, found.head.status, HTTPHeaderDict(headers), body, 0.0, (*found.head.flags, "cached"))
