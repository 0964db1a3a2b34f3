"""The :class:`Link`: a request as the frontier stores it, made by a worker, so that the engine need not look inside."""

from __future__ import annotations

from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr, replace

from scrapekit.messages.reason import storable
from scrapekit.messages.request import Request
from scrapekit.web.urls import address, fingerprint, without_parameters


class Link(Struct, frozen=True, array_like=True, gc=False):
    """A new request on its way to the frontier.

    Args:
        url: As it will be fetched.
        host: The throttle's key: the lower-case host name, without the port.
        fingerprint: 16 bytes that the same request always has; None for ``dont_filter``.
        callback: Name of the spider's method; None for ``parse``.
        priority: A higher one is fetched earlier.
        extra: All that differs from a plain GET, as JSON; None where nothing does.
    """

    url: str
    host: str
    fingerprint: bytes | None
    callback: str | None = None
    priority: int = 0
    extra: bytes | None = None


class _Extra(Struct, frozen=True, omit_defaults=True):
    """The rarer arguments of a request, as they are stored."""

    method: str = "GET"
    headers: dict[str, str] = {}
    body: bytes | None = None
    meta: dict[str, Any] = {}
    cb_kwargs: dict[str, Any] = {}
    errback: str | None = None
    session: str = ""
    proxy: str | None = None
    timeout: float | None = None
    delay: float | None = None
    handle_statuses: tuple[int, ...] = ()
    cookies: dict[str, str | None] = {}


_PLAIN = _Extra()
_FIELDS = _Extra.__struct_fields__
_DEFAULTS = [(name, getattr(_PLAIN, name)) for name in _FIELDS]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Extra).decode


def link_of(request: Request) -> Link:
    """Encode ``request`` for the frontier. Pure; any thread."""
    url, host, plain_fingerprint = address(request.url)
    extra = _Extra(*[getattr(request, name) for name in _FIELDS])
    if extra == _PLAIN:
        stored, identity = None, plain_fingerprint
    else:
        stored = _encode(extra)
        plain = extra.method == "GET" and extra.body is None
        identity = plain_fingerprint if plain else fingerprint(extra.method, url, extra.body)
        identity = _seen_by(request.visitor, identity)
    return Link(url, host, None if request.dont_filter else identity, request.callback, request.priority, stored)


def _seen_by(visitor: str, identity: bytes) -> bytes:
    """What one visitor sees is not what another one does: the fingerprint is that of a visitor, if there is a name."""
    return blake2b(identity + storable(visitor).encode(), digest_size=16).digest() if visitor else identity


def linker(ignored: Collection[str]) -> Callable[[Request], Link]:
    """:func:`link_of`, to which requests are the same that differ only in these query parameters (names or globs).

    The URL stays as it is: what was asked for is what is fetched, and a site that redirects to ``?utm_source=`` of the
    same page does not go in circles.
    """
    if not ignored:
        return link_of

    def link(request: Request) -> Link:
        made = link_of(request)
        if made.fingerprint is None or (bare := without_parameters(made.url, ignored)) == made.url:
            return made
        identity = fingerprint(request.method, bare, request.body)
        return replace(made, fingerprint=_seen_by(request.visitor, identity))

    return link


def request_of(url: str, callback: str | None, priority: int, extra: bytes | str | None, dont_filter: bool) -> Request:
    """Decode what :func:`link_of` encoded. Pure; any thread."""
    request = Request(url, callback, priority=priority, dont_filter=dont_filter)
    if extra is not None:
        rare = _decode(extra)
        for name, default in _DEFAULTS:
            value = getattr(rare, name)
            if value != default:
                force_setattr(request, name, value)  # it was checked before it was stored
    return request
