"""Request headers: the defaults, and what is merged into them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote

from scrapekit.download.decoding import ACCEPTED
from scrapekit.messages import Request

DEFAULT_HEADERS = {
    "User-Agent": "scrapekit",
    "Accept-Encoding": ACCEPTED,
}
"""Sent with every request that has none of the same name. What pages are preferred is for the settings to say."""


def headers_for(
    request: Request, origin: str, headers: dict[str, str], cookies: str | None, authorization: str | None = None
) -> tuple[str, dict[str, str]]:
    """The origin without user and password, and the headers with these, the request's own and the cookies. Pure.

    Args:
        request: The request; its headers replace those of the same name.
        origin: Of its URL, perhaps with user and password, which become Basic credentials.
        headers: The downloader's.
        cookies: Cookies from a jar; they follow those of the request's own Cookie header.
        authorization: Instead of the downloader's; the URL's and the request's own win.
    """
    scheme, _, authority = origin.partition("://")
    credentials, at, authority = authority.rpartition("@")
    if at:
        basic = b64encode(unquote(credentials).encode()).decode()
        authorization = f"Basic {basic}"
    if authorization:
        headers = merged(headers, {"Authorization": authorization})
    headers = merged(headers, request.headers)
    # What a user meant for a proxy belongs into the proxy's URL; as a header it would reach the target.
    name = {name.lower(): name for name in headers}
    headers.pop(name.get("proxy-authorization", ""), None)
    if cookies:
        spelled = name.get("cookie", "Cookie")
        own = headers.get(spelled)
        headers[spelled] = f"{own}; {cookies}" if own else cookies
    return f"{scheme}://{authority}", headers


def merged(headers: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Both; of two headers with one name, in whatever case, only that of ``others``. Pure; any thread."""
    replaced = {name.lower() for name in others}
    return {name: value for name, value in headers.items() if name.lower() not in replaced} | dict(others)
