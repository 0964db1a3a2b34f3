"""The :class:`Spool`: a body that is too large for memory, in a temporary file without a name."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryFile, gettempdir
from weakref import finalize

from scrapekit.errors import DownloadError


class Spool:
    """A body in a temporary file, which is gone when it is closed, forgotten, or its process dies.

    It belongs to one thread at a time: the one that fetches, then that of the callback.

    Args:
        folder: Where the file is made; None for the system's folder for temporary files.

    Raises:
        DownloadError: The file can't be made there, or (from :meth:`write`) holds no more.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self._size = 0
        try:
            self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  (it is closed with the spool)
        except OSError as error:
            raise self._failure(error) from error
        self.close = finalize(self, self._file.close)
        """Give the disk's space back; may be called twice."""

    def __len__(self) -> int:
        return self._size

    def write(self, data: bytes) -> None:
        """Add to its end."""
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._failure(error) from error
        self._size += len(data)

    def head(self, size: int) -> bytes:
        """The first ``size`` bytes."""
        self._file.seek(0)
        return self._file.read(size)

    def pieces(self, size: int) -> Iterator[bytes]:
        """All of it, in pieces of ``size`` bytes."""
        position = 0
        while position < self._size:
            self._file.seek(position)  # each time: others may read besides
            data = self._file.read(size)
            position += len(data)
            yield data

    def _failure(self, error: OSError) -> DownloadError:
        folder = self._folder or gettempdir()
        return DownloadError(f"a large body can't be kept in {folder} (http.spool_dir): {error.strerror or error}")
