"""Bodies between memory, temporary files and stores."""

from __future__ import annotations

from collections.abc import Iterator
from io import RawIOBase
from typing import Any, Protocol

from scrapekit.messages import Spool

_PIECE = 2**16


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; none at its end."""
        ...


def pieces_of(body: bytes | Spool) -> Iterator[bytes]:
    """A body in pieces: one that lies in memory as it is."""
    return body.pieces(_PIECE) if isinstance(body, Spool) else iter((body,))


def body_of(file: Readable, size: int, spool_above: int, spool_dir: str | None) -> bytes | Spool:
    """What is to be read from a file: in memory, unless it has more bytes than that.

    Args:
        file: Read to its end.
        size: Bytes that it is known to have.
        spool_above: Bytes from which on it goes to a temporary file.
        spool_dir: The folder for that.

    Raises:
        DownloadError: It is large, and the disk is full.
    """
    if size <= spool_above:
        return file.read(size)
    spool = Spool(spool_dir)
    try:
        while piece := file.read(_PIECE):
            spool.write(piece)
    except BaseException:
        spool.close()
        raise
    return spool


class BodyReader(RawIOBase):
    """A body as a file, to be read once."""

    def __init__(self, body: bytes | Spool) -> None:
        super().__init__()
        self._pieces = pieces_of(body)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """The next bytes."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
