"""The sinks of JSON Lines (jsonlines.org): to a file, to a gzip file, to a stream."""

from __future__ import annotations

import os
import select
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any

from scrapekit.errors import ExportError

TRAILER_SIZE = 10  # bytes that end a gzip member
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # of a gzip member: deflate, no name, no time, unknown system
_HEAD, _TAIL = 64, 4096


class StreamSink:
    """Lines to a pipe, a terminal or a device, as soon as they are appended.

    What was written can't be taken back, so after a crash and a resume the lines of the last group may come again:
    this output is at-least-once.
    """

    cut = 0

    def __init__(self, fd: int, name: str, *, owned: bool = True) -> None:
        self.name = name
        self._fd = fd
        self._owned = owned

    def append(self, lines: Sequence[bytes]) -> None:
        """Write ``lines``; a reader that has gone is an ExportError with a BrokenPipeError as its cause."""
        if not lines:
            return
        try:
            write_all(self._fd, _joined(lines))
        except BrokenPipeError as error:
            raise ExportError(f"{self.name}: the reader of the output has gone") from error
        except OSError as error:
            raise _export_error(self.name, error) from error

    def position(self) -> dict[str, Any]:
        """Nothing to go back to."""
        return {}

    def flush(self) -> None:
        """Do nothing: a stream has no disk to wait for."""

    def committed(self) -> None:
        """Do nothing: the lines are where they belong."""

    def finish(self) -> None:
        """Do nothing: the lines are what was asked for."""

    def close(self) -> None:
        """Close the stream, unless it is this process's stdout."""
        fd, self._fd = self._fd, -1
        if fd >= 0 and self._owned:
            _close(fd, self.name)


class FileSink:
    """Lines to a regular file, from an offset on. The file belongs to the crawl until it ends.

    Args:
        fd: Open for reading and writing, locked.
        name: The path.
        offset: Where the next line goes; what lies there is overwritten.
        fsync: True makes :meth:`flush` wait for the disk.
        cut: See :class:`~scrapekit.export.Sink`.
        old: Whether something lies behind the offset that goes as soon as the crawl begins.
    """

    def __init__(
        self, fd: int, name: str, offset: int, *, fsync: bool = False, cut: int = 0, old: bool = False
    ) -> None:
        self.name = name
        self._old = old
        self.cut = cut
        self._fd = fd
        self._offset = offset
        self._fsync = fsync
        self._head, self._tail = _ends(fd, offset)

    def append(self, lines: Sequence[bytes]) -> None:
        """Write ``lines`` behind the position."""
        if lines:
            self._write(_joined(lines))

    def position(self) -> dict[str, Any]:
        """The offset, and a checksum of what lies before it, by which a resume knows the file again."""
        return {"offset": self._offset, "mark": mark_of(self._head, self._tail)}

    def flush(self) -> None:
        """With ``fsync``, wait for the disk; the kernel has everything already."""
        if not self._fsync:
            return
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise _export_error(self.name, error) from error

    def committed(self) -> None:
        """Empty a file that is overwritten, now that the crawl has begun."""
        if self._old:
            self._write(b"")

    def finish(self) -> None:
        """Do nothing: the lines are what was asked for."""

    def close(self) -> None:
        """Close the file, which gives its lock back."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            _close(fd, self.name)

    def _write(self, data: bytes, trailer: bytes = b"") -> None:
        """Write both at the offset and advance it over ``data``, so that the next write replaces the trailer."""
        try:
            if self._old:
                os.ftruncate(self._fd, self._offset)
                self._old = False
            os.lseek(self._fd, self._offset, os.SEEK_SET)
            write_all(self._fd, data + trailer)
        except OSError as error:
            with suppress(OSError):  # the error that is raised matters; a resume cuts what this could not
                os.ftruncate(self._fd, self._offset)
            raise _export_error(self.name, error) from error
        self._offset += len(data)
        self._head = (self._head + data[:_HEAD])[:_HEAD]
        self._tail = (self._tail + data[-_TAIL:])[-_TAIL:]


class GzipSink(FileSink):
    """Lines to a gzip file (RFC 1952) that is complete after every append and compresses like one stream.

    A member ends with a final block, a checksum and a size. They are written behind every group, and the next group
    overwrites them: its deflate data goes on where the group before ended, at a byte boundary (a sync flush, RFC 1951).
    The position lies before them and carries the checksum and the size, so that a resume can go on in the same member.

    Args:
        crc: The CRC-32 of what the member that ends at ``offset`` holds.
        size: Its size in bytes; 0 begins a new member.
    """

    def __init__(
        self,
        fd: int,
        name: str,
        offset: int,
        *,
        crc: int = 0,
        size: int = 0,
        fsync: bool = False,
        cut: int = 0,
        old: bool = False,
    ) -> None:
        super().__init__(fd, name, offset, fsync=fsync, cut=cut, old=old)
        self._crc, self._size = crc, size
        self._restart()

    def append(self, lines: Sequence[bytes]) -> None:
        """Compress ``lines`` into the member."""
        if not lines:
            return
        data = _joined(lines)
        header = b"" if self._size else _HEADER
        body = header + self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        crc, size = zlib.crc32(data, self._crc), self._size + len(data)
        try:
            self._write(body, _trailer(crc, size))
        except ExportError:
            with suppress(ExportError):  # the first error is the one to tell; a resume writes the trailer as well
                self._restart()
            raise
        self._crc, self._size = crc, size

    def position(self) -> dict[str, Any]:
        """That of the file, and what the member's end needs."""
        return super().position() | {"crc": self._crc, "size": self._size}

    def _restart(self) -> None:
        """Go on at the offset with a compressor that refers to nothing before it, and end the member there for now."""
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        if self._size:
            self._write(b"", _trailer(self._crc, self._size))


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data`` whatever the kernel takes at once, also to a stream that others made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])


def mark_at(fd: int, offset: int) -> str:
    """The checksum that :meth:`FileSink.position` holds, of the file as it is now."""
    return mark_of(*_ends(fd, offset))


def read_at(fd: int, start: int, end: int) -> bytes:
    """The bytes from ``start`` to ``end``, or to the end of the file."""
    os.lseek(fd, start, os.SEEK_SET)
    data = b""
    while len(data) < end - start and (chunk := os.read(fd, end - start - len(data))):
        data += chunk
    return data


def _trailer(crc: int, size: int) -> bytes:
    """What ends a gzip member: an empty final deflate block, the CRC-32 and the size modulo 2**32."""
    return b"\x03\x00" + struct.pack("<II", crc, size & 0xFFFFFFFF)


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"


def _ends(fd: int, offset: int) -> tuple[bytes, bytes]:
    return read_at(fd, 0, min(_HEAD, offset)), read_at(fd, max(0, offset - _TAIL), offset)


def mark_of(head: bytes, tail: bytes) -> str:
    """The checksum of the first bytes of a file, and of the last ones before an offset."""
    return blake2b(head + tail, digest_size=16).hexdigest()


def _close(fd: int, name: str) -> None:
    try:
        os.close(fd)
    except OSError as error:
        raise _export_error(name, error) from error


def _export_error(name: str, error: OSError) -> ExportError:
    return ExportError(f"{name}: can't be written: {error.strerror or error}")
