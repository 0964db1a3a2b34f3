"""Content codings (RFC 9110 §8.4.1): gzip, deflate, br and zstd, in bounded memory, and only if they are complete."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

try:
    import brotlicffi as brotli  # type: ignore[import-not-found]  # what urllib3[brotli] brings to PyPy
except ImportError:
    import brotli  # type: ignore[import-untyped]  # ships no types

if sys.version_info >= (3, 14):
    from compression import zstd  # pragma: no cover  (another Python)
else:
    from backports import zstd

from scrapekit.errors import ProtocolError, TruncatedBody

_ZSTD_WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}  # 8 MiB: RFC 9659
PIECE = 2**16  # bytes that a decoder gives at once: however small its input, it never fills the memory
_MEMBERS = (
    4096  # gzip members or zstd frames in one body, and one more for each KiB: hostile are millions of empty ones
)


def codings(header: str) -> tuple[list[str], bool]:
    """The codings to undo, the outermost first, and whether those are all: an unknown one ends it. Pure.

    Args:
        header: Content-Encoding: codings in the order in which they were applied. (urllib3 refuses responses with more
            than five.)
    """
    names: list[str] = []
    for part in reversed(header.lower().split(",")):
        name = part.strip()
        if name not in ("", "identity"):
            if name not in _CODINGS:
                return names, False
            names.append(name)
    return names, True


def decoded(name: str, pieces: Iterable[bytes], allow: Callable[[int], None]) -> Iterator[bytes]:
    """``pieces`` without one coding, in bounded memory. Any thread.

    Args:
        name: One of :func:`codings`.
        pieces: The encoded bytes, none of them empty, most of them of ``PIECE`` bytes or less.
        allow: Called now and then with how many bytes came out so far; raises when it is too many, or time to stop.

    Raises:
        TruncatedBody: They end before the coding's own end.
        ProtocolError: They are not in that coding.
    """
    coding = _CODINGS[name]
    stream: Any = None
    members = taken = given = 0
    for data in pieces:
        taken += len(data)
        rest: bytes | None = data
        while rest or (rest is not None and stream is not None):
            allow(given)
            if stream is None:
                if members and not rest.startswith(coding.another):
                    return  # bytes after the end are ignored, as everybody does
                members += 1
                if members > _MEMBERS + given // 1024:
                    raise ProtocolError(f"over {_MEMBERS} {name} streams in one body")
                stream = coding.start(rest)
            try:
                part = stream.decompress(rest, PIECE)
            except _ERRORS as error:
                raise ProtocolError(f"the body is not {name}, as its Content-Encoding says, or is damaged") from error
            if part:
                given += len(part)
                allow(given)
                yield part
            if stream.eof:
                rest, stream = stream.unused_data, None
            else:
                rest = coding.rest(stream, part)
    if stream is not None:
        raise TruncatedBody(f"the body breaks off within its {name} stream after {taken} bytes")


class _Brotli:
    """A brotli decoder with the methods that zlib's and zstd's have."""

    unused_data = b""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self.eof = False

    def decompress(self, data: bytes, room: int) -> bytes:
        output: bytes = self._stream.process(data, output_buffer_limit=room)
        self.eof = self._stream.is_finished()
        self.needs_input = self.eof or self._stream.can_accept_more_data()
        return output


def _deflate(data: bytes) -> Any:
    """A decoder for what servers mean by deflate: the zlib format (RFC 1950) or, by an old mistake, bare RFC 1951."""
    # The low bits of zlib's first byte are 8. Bare ones would say: a stored block, with padding that is not zero.
    return zlib.decompressobj(15 if data[0] & 15 == 8 else -15)


def _tail(stream: Any, part: bytes) -> bytes | None:
    """What zlib has not read yet; perhaps nothing, while there is more to come out."""
    return stream.unconsumed_tail if len(part) == PIECE else None


def _inside(stream: Any, part: bytes) -> bytes | None:
    """The others keep what they have not read yet, and perhaps output for which there was no room."""
    return None if stream.needs_input and len(part) < PIECE else b""


class _Coding(NamedTuple):
    """How to decode.

    Args:
        start: A new decoder for a stream that begins with these bytes.
        rest: What to feed it next, given what it gave last: None when it needs more input.
        another: How another stream begins after the end of one.
    """

    start: Callable[[bytes], Any]
    rest: Callable[[Any, bytes], bytes | None]
    another: bytes | tuple[bytes, ...] = ()


_GZIP = _Coding(lambda _: zlib.decompressobj(31), _tail, b"\x1f")
_ZSTD_FRAMES = (b"\x28", *(bytes([0x50 + n]) for n in range(16)))  # a frame, or one to be skipped
_CODINGS = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    "deflate": _Coding(_deflate, _tail),
    "br": _Coding(lambda _: _Brotli(), _inside),
    "zstd": _Coding(lambda _: zstd.ZstdDecompressor(options=_ZSTD_WINDOW), _inside, _ZSTD_FRAMES),
}
_ERRORS = (zlib.error, brotli.error, zstd.ZstdError)

ACCEPTED = "gzip, deflate, br, zstd"
"""The Accept-Encoding that asks for what :func:`decoded` knows."""
