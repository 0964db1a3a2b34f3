"""Bodies between memory, temporary files and stores."""

from __future__ import annotations

from collections.abc import Iterator
from io import RawIOBase, UnsupportedOperation
from itertools import chain
from typing import Any

from scrapekit.messages import Spool

_PIECE = 2**16


def pieces_of(body: bytes | Spool) -> Iterator[bytes]:
    """A body in pieces: one that lies in memory as it is."""
    return body.pieces(_PIECE) if isinstance(body, Spool) else iter((body,))


def body_of(pieces: Iterator[bytes], spool_above: int, spool_dir: str | None) -> bytes | Spool:
    """A body that comes in pieces: in memory, unless it has more bytes than that.

    Args:
        pieces: Read to their end.
        spool_above: Bytes from which on it goes to a temporary file.
        spool_dir: The folder for that.

    Raises:
        DownloadError: It is large, and the disk is full.
    """
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > spool_above:
            break
    else:
        return b"".join(held)
    spool = Spool(spool_dir)
    try:
        for piece in chain(held, pieces):
            spool.write(piece)
    except BaseException:
        spool.close()
        raise
    return spool


class BodyReader(RawIOBase):
    """A large body as a file that can be read again from its beginning."""

    def __init__(self, body: Spool) -> None:
        super().__init__()
        self._body = body
        self.seek(0)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """To its beginning."""
        return True

    def tell(self) -> int:
        """Bytes that were read."""
        return self._position

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Back to the beginning, and nowhere else."""
        if offset or whence:
            raise UnsupportedOperation("a body is read from its beginning")
        self._position = 0
        self._pieces = self._body.pieces(_PIECE)
        self._rest = memoryview(b"")
        return 0

    def readinto(self, buffer: Any, /) -> int:
        """The next bytes."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        self._position += size
        return size
