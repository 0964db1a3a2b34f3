from __future__ import annotations

from collections.abc import Callable

import pytest
from urllib3 import HTTPHeaderDict

from scrapekit.messages import Request, Response
from scrapekit.parse import Parsers

URL = "https://site.example/shop/list.html"


@pytest.fixture
def respond() -> Callable[..., Response]:
    """Makes responses as the downloader does."""

    def respond(body: bytes | str, content_type: str | None = None, *, parse: Parsers | None = None) -> Response:
        headers = HTTPHeaderDict({} if content_type is None else {"Content-Type": content_type})
        data = body.encode() if isinstance(body, str) else body
        return Response(URL, 200, headers, data, request=Request(URL), parse=parse or Parsers())

    return respond
