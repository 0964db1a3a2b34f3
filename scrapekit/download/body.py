"""The body of a response: read to its end or not at all, within the limits, the large ones into a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from urllib3 import BaseHTTPResponse

from scrapekit.download.decoding import PIECE, codings, decoded
from scrapekit.download.exchange import Exchange
from scrapekit.errors import BodyTooLarge, TruncatedBody
from scrapekit.messages import Spool

_RATIO_FLOOR = 4 * 2**20  # decoded bytes below which no ratio is hostile: pages of one repeated row are honest


def read_body(response: BaseHTTPResponse, exchange: Exchange, first: int | None = None) -> tuple[bytes | Spool, bool]:
    """The decoded body, in a file if it is large, and whether its content codings were known.

    Args:
        response: Whose head has been read.
        exchange: The exchange.
        first: Bytes that are enough, whatever the limits say: the rest is left unread. None for all of it.

    Raises:
        BodyTooLarge: It is over a limit, as announced, on the wire or decoded.
        TruncatedBody: It ended early, by its Content-Length or by its coding.
        ProtocolError: It is not in the coding that it says.
        DownloadError: The disk is full.
        Exception: Whatever http.client and urllib3 raise about its framing.
    """
    terms = exchange.terms
    limit = terms.max_body if first is None else max(terms.max_body, 4 * first)  # decoders give out late
    length = response.length_remaining
    if first is None and length is not None and length > limit:
        raise BodyTooLarge(f"a body of {length} bytes is announced, over the limit of {terms.max_body}")
    if length == 0:
        return response.read(decode_content=False), True  # nothing, but it gives the connection back
    coding = response.headers.get("content-encoding")
    pieces: Iterable[bytes]
    if length is not None and length <= (terms.spool_above if first is None else first):
        body = response.read(length, decode_content=False)
        if len(body) < length:
            raise TruncatedBody(f"the body ended after {len(body)} of {length} bytes")
        if coding is None:
            return body, True
        pieces = (body[start : start + PIECE] for start in range(0, length, PIECE))
    else:
        pieces = _wire(response, limit, length)
    names, known = codings(coding or "")
    for name in names:
        pieces = decoded(name, pieces, lambda size, name=name: _allow(size, limit, name, exchange))  # type: ignore[misc]
    return _gathered(iter(pieces) if first is None else _beginning(pieces, first, exchange), exchange), known


def _wire(response: BaseHTTPResponse, limit: int, length: int | None) -> Iterator[bytes]:
    """A large body, a chunked one, or one that ends with the connection."""
    size = 0
    while piece := response.read(PIECE, decode_content=False):
        size += len(piece)
        if size > limit:
            raise BodyTooLarge(f"the body is over the limit of {limit} bytes")
        yield piece
    if length is not None and size < length:
        raise TruncatedBody(f"the body ended after {size} of {length} bytes")


def _beginning(pieces: Iterable[bytes], size: int, exchange: Exchange) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:size]
        size -= len(piece)
        if size <= 0:
            exchange.cut = True
            return


def _allow(size: int, limit: int, name: str, exchange: Exchange) -> None:
    """Let ``size`` bytes come out of a coding, or raise: all codings are judged by what came over the wire."""
    exchange.check()
    terms = exchange.terms
    if size > limit:
        raise BodyTooLarge(f"over {limit} bytes when decoded, from {exchange.received} bytes of {name}")
    if size > _RATIO_FLOOR and size > terms.max_ratio * exchange.received:
        raise BodyTooLarge(
            f"{exchange.received} bytes of {name} become over {size}: {terms.max_ratio} to 1 is the limit"
        )


def _gathered(pieces: Iterator[bytes], exchange: Exchange) -> bytes | Spool:
    """All pieces: in memory, as long as they are few."""
    terms = exchange.terms
    held = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > terms.spool_above:
            break
    else:
        return held[0] if len(held) == 1 else b"".join(held)
    spool = Spool(terms.spool_dir)
    try:
        for piece in held:
            spool.write(piece)
        held.clear()
        for piece in pieces:
            spool.write(piece)
    except BaseException:
        spool.close()
        raise
    return spool
