"""Content codings (RFC 9110 §8.4.1): gzip, deflate, br and zstd, in bounded memory, and only if they are complete."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

try:
    import brotlicffi as brotli  # type: ignore[import-not-found]  # what urllib3[brotli] brings to PyPy
except ImportError:
    import brotli  # type: ignore[import-untyped]  # ships no types

if sys.version_info >= (3, 14):
    from compression import zstd  # pragma: no cover  (another Python)
else:
    from backports import zstd

from scrapekit.errors import BodyTooLarge, ProtocolError, TruncatedBody

_SLICE = 65_536  # bytes fed to a decoder at once: the deadline is looked at in between
_MEMBERS = 4096  # gzip members or zstd frames in one body: hostile are millions of empty ones
_ZSTD_WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}  # 8 MiB: RFC 9659


def decode(body: bytes, coding: str, limit: int, check: Callable[[], None]) -> tuple[bytes, bool]:
    """``body`` without its codings, and whether all of them were known: an unknown one is left as it is.

    Pure but for ``check``; any thread.

    Args:
        body: What came over the wire.
        coding: The Content-Encoding header: codings in the order in which they were applied. (urllib3 refuses responses
            with more than five.)
        limit: Bytes that it may have, after each coding.
        check: Called now and then; raises when it is time to stop.

    Raises:
        BodyTooLarge: It is over the limit.
        TruncatedBody: It ends before the coding's own end.
        ProtocolError: It is not in that coding.
    """
    names = [name.strip() for name in coding.lower().split(",")]
    for name in reversed(names):
        if name not in ("", "identity"):
            if name not in _CODINGS:
                return body, False
            body = _undo(name, body, limit, check)
    return body, True


def _undo(name: str, body: bytes, limit: int, check: Callable[[], None]) -> bytes:
    """``body`` without one coding."""
    coding = _CODINGS[name]
    output: list[bytes] = []
    room = limit + 1  # one byte more than there may be shows that there is more
    stream: Any = None
    members = 0
    for start in range(0, len(body), _SLICE):
        check()
        data = body[start : start + _SLICE] if len(body) > _SLICE else body
        while data:
            if stream is None:
                if members and not data.startswith(coding.another):
                    return b"".join(output)  # bytes after the end are ignored, as everybody does
                members += 1
                if members > _MEMBERS:
                    raise ProtocolError(f"over {_MEMBERS} {name} streams in one body")
                stream = coding.start(data)
            try:
                part = stream.decompress(data, room)
            except _ERRORS as error:
                raise ProtocolError(f"the body is not {name}, as its Content-Encoding says, or is damaged") from error
            output.append(part)
            room -= len(part)
            if room <= 0:
                raise BodyTooLarge(f"over {limit} bytes when decoded, from {len(body)} bytes of {name}")
            if not stream.eof:
                break  # it took all, because it had room for more output
            data, stream = stream.unused_data, None
    if stream is not None:
        raise TruncatedBody(f"the body breaks off within its {name} stream after {len(body)} bytes")
    return b"".join(output)


class _Brotli:
    """A brotli decoder with the methods that zlib's and zstd's have."""

    unused_data = b""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self.eof = False

    def decompress(self, data: bytes, room: int) -> bytes:
        output: bytes = self._stream.process(data, output_buffer_limit=room)
        self.eof = self._stream.is_finished()
        return output


def _deflate(data: bytes) -> Any:
    """A decoder for what servers mean by deflate: the zlib format (RFC 1950) or, by an old mistake, bare RFC 1951."""
    header = int.from_bytes(data[:2])
    return zlib.decompressobj(15 if header >> 8 & 15 == 8 and header % 31 == 0 else -15)


class _Coding(NamedTuple):
    """How to decode: a new decoder for a stream that begins with these bytes, and how another stream begins."""

    start: Callable[[bytes], Any]
    another: bytes | tuple[bytes, ...] = ()


_GZIP = _Coding(lambda _: zlib.decompressobj(31), b"\x1f")
_ZSTD_FRAMES = (b"\x28", *(bytes([0x50 + n]) for n in range(16)))  # a frame, or one to be skipped
_CODINGS = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    "deflate": _Coding(_deflate),
    "br": _Coding(lambda _: _Brotli()),
    "zstd": _Coding(lambda _: zstd.ZstdDecompressor(options=_ZSTD_WINDOW), _ZSTD_FRAMES),
}
_ERRORS = (zlib.error, brotli.error, zstd.ZstdError)

ACCEPTED = "gzip, deflate, br, zstd"
"""The Accept-Encoding that asks for what :func:`decode` knows."""
