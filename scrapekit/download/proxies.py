"""Proxies: from a URL to what urllib3 needs to go through it."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

from urllib3.connection import ProxyConfig
from urllib3.util import Url, parse_url

from scrapekit.download.socks import Socks

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class Proxy(NamedTuple):
    """A proxy that speaks HTTP, over TCP or TLS, or SOCKS5. Immutable.

    Args:
        url: As it was given, perhaps with credentials: never shown.
        place: Its ``host:port``, for messages.
        options: What urllib3's pools take; the credentials are in the headers that only the proxy gets.
        socks: How to get through it, where it speaks SOCKS5.
    """

    url: str
    place: str
    options: dict[str, Any]
    socks: Socks | None = None

    def __repr__(self) -> str:
        return f"<Proxy {self.place}>"

    def forwards(self, origin: str) -> bool:
        """Whether requests to ``origin`` go to the proxy as they are, with the whole URL, instead of through it."""
        return self.socks is None and origin.startswith("http:")


def proxy_of(url: str, context: Callable[[], ssl.SSLContext]) -> Proxy:
    """The proxy at ``url``.

    Args:
        url: ``http://[user:password@]host[:port]``, https for TLS to the proxy itself, socks5 or socks5h; user and
            password percent-encoded.
        context: Makes the SSLContext for TLS to the proxy itself.

    Raises:
        ValueError: It is not such a URL. The message tells no password.
    """
    try:
        parsed = parse_url(url)
    except ValueError:
        raise ValueError("not a URL") from None  # the error quotes the URL, and so the password
    if parsed.scheme not in _PORTS or not parsed.host:
        known = ", ".join(f"{scheme}://host:port" for scheme in _PORTS)
        raise ValueError(f"must be one of {known}, not {parsed.scheme}://{parsed.host}")
    target = parsed._replace(auth=None, path=None, port=parsed.port or _PORTS[parsed.scheme])
    place = f"{target.host}:{target.port}"
    if parsed.scheme.startswith("socks"):
        return Proxy(url, place, {}, _socks(target, parsed.auth or ""))
    headers = {}
    if parsed.auth:
        credentials = b64encode(unquote(parsed.auth).encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {credentials}"
    options = {
        "_proxy": target,
        "_proxy_headers": headers,
        "_proxy_config": ProxyConfig(context() if parsed.scheme == "https" else None, False, None, None),
    }
    return Proxy(url, place, options)


def _socks(target: Url, auth: str) -> Socks:
    user, password = (unquote(part).encode() for part in auth.partition(":")[::2])
    if max(len(user), len(password)) > 255:
        raise ValueError("SOCKS5 takes a user and a password of at most 255 bytes each")
    assert target.host is not None
    assert target.port is not None
    return Socks(target.host.strip("[]"), target.port, user, password, target.scheme == "socks5h")
