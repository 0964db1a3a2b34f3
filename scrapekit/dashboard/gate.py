"""The :class:`Gate`: who may look, and who may pause and stop."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from scrapekit.settings.listen import Listen
from scrapekit.web.urls import is_loopback


class Refused(NamedTuple):
    """Not let in, and why.

    Args:
        status: 401 or 403.
        why: For the log of whoever asked.
    """

    status: int
    why: str


class Gate:
    """Decides about each request, by its headers and the token. Any thread; immutable.

    A page of another site can make a browser send requests here, in three ways:

    - by a link, a form or a script: it can't read the answer, and the cookie does not come along (``SameSite=Strict``),
      nor can it forge the Origin header that a POST must have;
    - by a name of its own that it lets point to this machine, DNS rebinding: that name stands in the Host header, and
      is none of ours;
    - in a frame: the server says that it must not be framed.

    So on loopback whoever can connect may look, and who acts must have got the cookie from the page. Anywhere else, and
    where a token was set, nothing but the health check is shown without the token.

    Args:
        listen: Where the server listens.
        token: What was set; None to make one up.
        hosts: Names under which the server may be asked, besides its own.
    """

    def __init__(self, listen: Listen, token: str | None = None, hosts: Collection[str] = ()) -> None:
        self.guarded = token is not None or not listen.is_private
        """Whether it takes the token to look."""
        self.token = token or secrets.token_urlsafe(24)
        self.cookie = f"scrapekit-{listen.port}"  # cookies know no ports, and there may be several crawls
        self._names = {listen.host.lower(), *map(str.lower, hosts)}
        if not listen.is_private:
            with suppress(OSError):
                self._names.add(socket.gethostname().lower())

    @property
    def set_cookie(self) -> str:
        """What hands the token to a browser that has shown it, or need not."""
        return f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"

    def refuses(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Refused | None:
        """Why the request is not let in; None where it is."""
        host = headers.get("Host", "")
        name = _name(host)
        if not self._is_ours(name):
            return Refused(403, f"{name or 'no host'} is not a name of this server; add it to ui.hosts if it is")
        # Browsers say who asks; a foreign page would see nothing, but could take all the places of those who watch.
        if headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"} and headers.get("Sec-Fetch-Mode") != "navigate":
            return Refused(403, "asked for by another site")
        bearer = _bearer(headers.get("Authorization", ""))
        if method == "POST":
            if bearer is None and _authority(headers.get("Origin", "")) != host.lower():
                return Refused(403, "a POST must come from the page itself (its Origin is another one)")
            if not self._knows(bearer or self._crumb(headers)):
                return Refused(403, "a POST needs the token: reload the page")
            return None
        if not self.guarded or path == "/healthz":
            return None
        if any(map(self._knows, (query.get("token"), bearer, self._crumb(headers)))):
            return None
        return Refused(401, "the token is missing or wrong: open the URL that the crawl has printed, with its ?token=")

    def _knows(self, token: str | None) -> bool:
        return token is not None and hmac.compare_digest(token.encode(errors="replace"), self.token.encode())

    def _crumb(self, headers: Mapping[str, str]) -> str | None:
        """The token in the cookie."""
        for pair in headers.get("Cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie:
                return value
        return None

    def _is_ours(self, name: str) -> bool:
        if is_loopback(name) or name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True  # an address is nobody's name: it can't be made to point elsewhere


def _name(host: str) -> str:
    """The name in a Host header, in lower case and without brackets and port (RFC 9110, 7.2)."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _authority(origin: str) -> str | None:
    """Host and port of an Origin header, in lower case (RFC 6454, 7)."""
    scheme, found, authority = origin.lower().partition("://")
    return authority if found and scheme in {"http", "https"} else None


def _bearer(authorization: str) -> str | None:
    """The token of an Authorization header (RFC 6750, 2.1)."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
