"""The body of a response: read to its end or not at all, within the limits."""

from __future__ import annotations

from urllib3 import BaseHTTPResponse

from scrapekit.download.decoding import decode
from scrapekit.download.exchange import Exchange
from scrapekit.errors import BodyTooLarge, TruncatedBody

_CHUNK = 65_536


def read_body(response: BaseHTTPResponse, exchange: Exchange) -> tuple[bytes, bool]:
    """The decoded body, and whether its content codings were known.

    Raises:
        BodyTooLarge: It is over the limit, as announced, on the wire or decoded.
        TruncatedBody: It ended early, by its Content-Length or by its coding.
        ProtocolError: It is not in the coding that it says.
        Exception: Whatever http.client and urllib3 raise about its framing.
    """
    limit = exchange.terms.max_body
    length = response.length_remaining
    if length is None:
        body = _read_unknown(response, limit)
    elif length > limit:
        raise BodyTooLarge(f"a body of {length} bytes is announced, over the limit of {limit}")
    elif length:
        body = response.read(length, decode_content=False)
        if len(body) < length:
            raise TruncatedBody(f"the body ended after {len(body)} of {length} bytes")
    else:
        return response.read(decode_content=False), True  # nothing, but it gives the connection back
    coding = response.headers.get("content-encoding")
    return (body, True) if coding is None else decode(body, coding, limit, exchange.check)


def _read_unknown(response: BaseHTTPResponse, limit: int) -> bytes:
    """A chunked body, or one that ends with the connection."""
    pieces = []
    size = 0
    for piece in response.stream(_CHUNK, decode_content=False):
        size += len(piece)
        if size > limit:
            raise BodyTooLarge(f"the body is over the limit of {limit} bytes")
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
