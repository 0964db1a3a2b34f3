"""Proxies: from a URL to what urllib3 needs to go through it."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

from urllib3.connection import ProxyConfig
from urllib3.util import parse_url


class Proxy(NamedTuple):
    """A proxy that speaks HTTP, over TCP or TLS. Immutable.

    Args:
        url: As it was given, perhaps with credentials: never shown.
        place: Its ``host:port``, for messages.
        options: What urllib3's pools take; the credentials are in the headers that only the proxy gets.
    """

    url: str
    place: str
    options: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Proxy {self.place}>"


def proxy_of(url: str, context: Callable[[], ssl.SSLContext]) -> Proxy:
    """The proxy at ``url``.

    Args:
        url: ``http://[user:password@]host[:port]``, or https for TLS to the proxy itself; user and password
            percent-encoded.
        context: Makes the SSLContext for TLS to the proxy itself.

    Raises:
        ValueError: It is not such a URL. The message tells no password.
    """
    try:
        parsed = parse_url(url)
    except ValueError:
        raise ValueError("not a URL") from None  # the error quotes the URL, and so the password
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"must be http://host:port or https://host:port, not {parsed.scheme}://{parsed.host}")
    headers = {}
    if parsed.auth:
        credentials = b64encode(unquote(parsed.auth).encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {credentials}"
    parsed = parsed._replace(auth=None, path=None, port=parsed.port or (443 if parsed.scheme == "https" else 80))
    options = {
        "_proxy": parsed,
        "_proxy_headers": headers,
        "_proxy_config": ProxyConfig(context() if parsed.scheme == "https" else None, False, None, None),
    }
    return Proxy(url, f"{parsed.host}:{parsed.port}", options)
