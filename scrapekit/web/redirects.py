"""Redirects: where they lead, and what of the request goes with them (RFC 9110 §15.4). Pure; any thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scrapekit.errors import BadRedirect
from scrapekit.web.urls import join, same_origin

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The statuses that :func:`follow` knows. 300 and 304 are no redirects to one place."""

_OF_ORIGIN = frozenset({"authorization", "cookie", "host", "proxy-authorization"})


class Hop(NamedTuple):
    """The next request of a redirect chain: its method, its URL, and whether the body is sent again."""

    method: str
    url: str
    keep_body: bool


def follow(method: str, url: str, status: int, *locations: str) -> Hop:
    """What to request after ``url`` answered ``method`` with ``status``, one of REDIRECTS, and a Location.

    POST becomes GET on 301 and 302, as everyone does it; anything but HEAD becomes GET on 303; 307 and 308 change
    nothing. The fragment is dropped. User and password of the URL stay within its origin.

    Args:
        method: In upper case.
        url: The URL that answered.
        status: 301, 302, 303, 307 or 308.
        locations: The Location headers as http.client gives them (bytes seen as latin-1), or as text; relative or not.

    Raises:
        BadRedirect: There is no Location, or two that differ; or it is malformed or not http or https.
    """
    location = locations[0].strip() if locations else ""
    if not location:
        raise BadRedirect(f"status {status} without a Location")
    if any(other.strip() != location for other in locations):
        raise BadRedirect(f"status {status} to more than one place")
    target = join(url, _as_sent(location))
    if target is None:
        raise BadRedirect(f"status {status} to what can't be fetched: {location[:200]!r}")
    if "@" in url and same_origin(url, target):
        target = _with_userinfo(url, target)
    if status == 303:
        return Hop("HEAD" if method == "HEAD" else "GET", target, keep_body=False)
    if status in {301, 302} and method == "POST":
        return Hop("GET", target, keep_body=False)
    return Hop(method, target, keep_body=True)


def headers_after(
    headers: Mapping[str, str], old_url: str, new_url: str, body_kept: bool, secret: Iterable[str] = ()
) -> dict[str, str]:
    """The request headers that go along from ``old_url`` to ``new_url``.

    To another origin (RFC 6454) go no Authorization, Cookie, Host, Proxy-Authorization, nor those named in ``secret``;
    without the body go no Content-* and Transfer-Encoding.

    Raises:
        RequestInvalid: One of the URLs can't be fetched.
    """
    if not headers:
        return {}
    dropped = set() if same_origin(old_url, new_url) else _OF_ORIGIN | {name.lower() for name in secret}
    return {
        name: value
        for name, value in headers.items()
        if name.lower() not in dropped and (body_kept or not name.lower().startswith(("content-", "transfer-encoding")))
    }


def _with_userinfo(url: str, target: str) -> str:
    """``target`` with the user and password of ``url``, unless it has its own."""
    userinfo, at, _ = url.split("/", 3)[2].rpartition("@")
    scheme, _, rest = target.partition("://")
    return target if "@" in rest.partition("/")[0] else f"{scheme}://{userinfo}{at}{rest}"


def _as_sent(location: str) -> str:
    """The Location with its raw bytes read as UTF-8, or escaped one by one where they are something else."""
    if location.isascii():
        return location
    try:
        return location.encode("latin-1").decode()
    except UnicodeEncodeError:
        return location  # it was text already
    except UnicodeDecodeError:
        return "".join(c if c.isascii() else f"%{ord(c):02X}" for c in location)
