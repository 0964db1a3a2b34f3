"""The head of a response: status line and header section, as RFC 9112 has them and as servers get them wrong.

http.client parses headers with the email package, which takes a third of the time of a whole request, stops at the
first line that is not a header (cookies and all that come later are lost), and takes a 103 for the final answer.
"""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Callable, Iterator
from typing import Any

_LONGEST = 2**18  # bytes of one header section; curl stops at 300 KB
_SPACE = " \t\r\n"
_INTERIM = 64  # 1xx answers before the final one
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+").fullmatch
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}").fullmatch
_LENGTH = re.compile(r"[0-9]{1,20}").fullmatch  # int() takes more than RFC 9110 §8.6
_CHUNK_LINE = 2**13  # bytes of a chunk's size with its extensions, or of a trailer
_NONE = {"", "identity"}
_NO_BODY = frozenset({204, 304})


class Head(http.client.HTTPMessage):
    """The headers of one response, in order; ``bad_lines`` counts the lines that are none.

    Args:
        lines: The header section, a str for each line.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        super().__init__()
        pairs: list[tuple[str, str]] = []
        self._pairs = pairs
        self.bad_lines = 0
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not _TOKEN(name):
                if pairs and line[:1] in " \t":  # obs-fold, RFC 9112 §5.2
                    name, value = pairs.pop()
                    value = f"{value} {line.strip(_SPACE)}"
                elif colon and _TOKEN(name.rstrip()):
                    name = name.rstrip()
                else:
                    self.bad_lines += 1
                    continue
            value = value.strip(_SPACE)
            if "\0" in value or "\r" in value or "\n" in value:
                value = re.sub(r"[\0\r\n]+", " ", value)  # RFC 9110 §5.5
            pairs.append((name, value))

    def items(self) -> list[tuple[str, str]]:
        """All headers."""
        return list(self._pairs)

    def values_of(self, name: str) -> list[str]:
        """The values of the headers called ``name`` (lower case), each split at its commas."""
        found = [value for key, value in self._pairs if key.lower() == name]
        return [part.strip(" \t") for value in found for part in value.split(",")]


class HeadedResponse(http.client.HTTPResponse):
    """http.client's response with another way to read its head.

    Args:
        wire: What to read from: anything with ``makefile``.
        on_defects: Called if there are lines in the header section that are not headers.
        method: Of the request.
    """

    def __init__(self, wire: Any, on_defects: Callable[[], None], method: str | None) -> None:
        super().__init__(wire, method=method)
        self._on_defects = on_defects

    def begin(self) -> None:
        """Read up to the end of the header section of the final answer.

        Raises:
            HTTPException: It is not HTTP/1.x, has no end, or tells two lengths of the body.
        """
        for _ in range(_INTERIM):
            version, status, reason = self._read_status()  # type: ignore[attr-defined]  # as urllib3 does for tunnels
            head = Head(self._lines())
            if status >= 200 or status == 101:
                break
        else:
            raise http.client.HTTPException(f"over {_INTERIM} interim answers")
        if not version.startswith("HTTP/1.") and version != "HTTP/0.9":
            raise http.client.UnknownProtocol(version)
        self.code = self.status = status
        self.reason = reason.strip()
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.headers = self.msg = head
        if head.bad_lines:
            self._on_defects()
        self._frame(head)

    def _get_chunk_left(self) -> int | None:
        """Bytes left of this chunk, or of the next; None after the last (RFC 9112 §7.1).

        http.client's own takes ``-5``, ``1_0`` and ``0x5`` for sizes, and reads trailers without end.
        """
        left: int | None = self.chunk_left  # http.client's: 0 at a chunk's end, None before any
        if left:
            return left
        if left == 0 and self._chunk_line() != b"":
            raise http.client.HTTPException("a chunk is longer than its size")
        size = self._chunk_line().partition(b";")[0].rstrip(b" \t")
        if not _CHUNK_SIZE(size):
            raise http.client.HTTPException(f"malformed chunk size {size[:20]!r}")
        self.chunk_left = int(size, 16) or None
        if self.chunk_left is None:
            room = _LONGEST
            with contextlib.suppress(http.client.IncompleteRead):  # all data are here, if not the end of the trailers
                while line := self._chunk_line():
                    room -= len(line)
                    if room < 0:
                        raise http.client.HTTPException(f"trailers of over {_LONGEST} bytes")
            self._close_conn()  # type: ignore[attr-defined]
        return self.chunk_left

    def _chunk_line(self) -> bytes:
        """One line between chunks, without its end."""
        line: bytes = self.fp.readline(_CHUNK_LINE)
        if not line.endswith(b"\n"):
            if len(line) == _CHUNK_LINE:
                raise http.client.HTTPException(f"a line of over {_CHUNK_LINE} bytes between chunks")
            raise http.client.IncompleteRead(b"")
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def _lines(self) -> Iterator[str]:
        size = 0
        readline = self.fp.readline
        while (line := readline(_LONGEST)) not in (b"\r\n", b"\n"):
            if not line:
                raise http.client.RemoteDisconnected("the connection was closed within the headers")
            size += len(line)
            if size >= _LONGEST:
                raise http.client.LineTooLong("header section")
            yield line.decode("latin-1")

    def _frame(self, head: Head) -> None:
        """Where the body ends (RFC 9112 §6.3) and whether the connection can be used again (§9.3)."""
        # Whole values: some servers send the header twice, but "chunked, chunked" are chunks within chunks.
        codings = {value.lower() for name, value in head.items() if name.lower() == "transfer-encoding"} - _NONE
        lengths = set(head.values_of("content-length"))
        options = {option.lower() for option in head.values_of("connection")}
        self.chunked = "chunked" in codings
        self.chunk_left = None
        if len(codings) > self.chunked:
            raise http.client.HTTPException(f"unknown Transfer-Encoding {', '.join(sorted(codings))}")
        self.length = None
        if not self.chunked and lengths not in (set(), {""}):
            length = lengths.pop()
            if lengths:
                raise http.client.HTTPException(f"Content-Length is both {length} and {lengths.pop()}")
            if not _LENGTH(length):
                raise http.client.HTTPException(f"malformed Content-Length {length[:20]!r}")
            self.length = int(length)
        if self.status in _NO_BODY or self.status < 200 or self._method == "HEAD":  # type: ignore[attr-defined]
            self.length = 0
        stays = "close" not in options if self.version == 11 else "keep-alive" in options
        # With both a length and chunks, one of us may be mistaken about where the next response begins.
        self.will_close = not stays or (self.length is None and not self.chunked) or bool(self.chunked and lengths)
