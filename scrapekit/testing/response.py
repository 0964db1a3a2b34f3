"""A response out of nothing, for tests of callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from urllib3 import HTTPHeaderDict

from scrapekit.messages import Request, Response
from scrapekit.parse import Parsers


def response(
    url: str = "https://example.org/",
    body: str | bytes = b"",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    meta: Mapping[str, Any] | None = None,
    request: Request | None = None,
    flags: Iterable[str] = (),
    parsers: Mapping[str, Callable[[Response], Any]] | None = None,
    cookies: str | None = None,
) -> Response:
    """A :class:`~scrapekit.Response` as a callback gets it, without a server: ``css()`` and all the rest work.

    Args:
        url: Where it comes from; links are relative to it.
        body: Bytes, or text that becomes UTF-8.
        status: The HTTP status.
        headers: The default is a Content-Type of HTML in UTF-8.
        meta: For the request, where none is given.
        request: What it answers; default a GET of ``url``.
        flags: What was odd about it.
        parsers: As :attr:`Spider.parsers`.
        cookies: The Cookie header that was sent.

    Raises:
        RequestInvalid: The URL can't be fetched.
    """
    return Response(
        url,
        status,
        HTTPHeaderDict({"Content-Type": "text/html; charset=utf-8"} if headers is None else headers),
        body.encode() if isinstance(body, str) else body,
        request=request or Request(url, meta=dict(meta or {})),
        flags=flags,
        parse=Parsers(parsers or {}),
        sent_cookies=cookies,
    )
