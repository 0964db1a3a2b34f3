"""The body of an answer in an archive: of our own as it was given, of other programs' with the codings taken off."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from warcio.bufferedreaders import ChunkedDataReader
from warcio.limitreader import LimitReader

from scrapekit.download.decoding import PIECE, codings, decoded
from scrapekit.errors import ProtocolError, TruncatedBody


def payload(record: Any) -> tuple[Iterator[bytes], bool]:
    """The decoded body of a response record of warcio's, in pieces, and whether its content codings are known.

    By our own decoders: warcio has no zstd, its brotli is not that of every binding, and it gives what is cut off as
    if it were whole.

    Raises:
        TruncatedBody: The body or the archive breaks off; when that is read.
        ProtocolError: It is damaged; as above.
    """
    pieces = _wire(record)
    names, known = codings(record.http_headers.get_header("content-encoding") or "")
    first = next(pieces, b"")
    pieces = chain([first], pieces) if first else pieces
    if not (names and first and _is_in(names[0], first)):
        return pieces, known  # some programs record bodies decoded, and the header as it was
    for name in names:
        pieces = decoded(name, pieces, _any_size)
    return pieces, known


def _wire(record: Any) -> Iterator[bytes]:
    if not isinstance(record.raw_stream, LimitReader):
        raise ProtocolError("the record has no length")
    chunked = (record.http_headers.get_header("transfer-encoding") or "").lower() == "chunked"
    stream = ChunkedDataReader(record.raw_stream, decomp_type=None) if chunked else record.raw_stream
    while piece := stream.read(PIECE):
        yield piece
    if record.raw_stream.limit > 0 and not record.raw_stream.read(1):
        raise TruncatedBody("the archive breaks off within this body")


def _is_in(name: str, first: bytes) -> bool:
    try:
        next(decoded(name, [first], _any_size), b"")
    except TruncatedBody:
        return True
    except ProtocolError:
        return False
    return True


def _any_size(size: int) -> None:
    """What an archive has, it has: it was within limits when it was fetched."""
