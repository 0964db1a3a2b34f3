"""The :class:`Archive`: a WARC file that threads and processes append to, each record whole."""

from __future__ import annotations

import os
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import IO

from scrapekit.errors import ArchiveError
from scrapekit.store import warc

if sys.platform == "win32":  # pragma: no cover  (tested on POSIX)
    import msvcrt
else:
    import fcntl

_LENGTH = struct.Struct("<Q")
_LEDGER = ".length"  # the suffix of the file beside it


class Archive:
    """Appends whole records to a WARC file. Any thread, and any process, from :func:`begin` to :func:`end`.

    A file beside it, the ledger, has the length to which it is whole. A writer locks that, cuts off what one before it
    that died has left, appends, and notes the new length: eight bytes in one system call.

    Args:
        path: Of the archive, for which :func:`begin` was called.

    Raises:
        ArchiveError: It can't be opened.
    """

    def __init__(self, path: str) -> None:
        self._lock = Lock()  # guards both files among the threads of this process
        try:
            self._ledger = os.open(f"{path}{_LEDGER}", os.O_RDWR)
            self._file = open(path, "r+b")  # noqa: SIM115, PTH123  (open until close())
        except OSError as error:
            raise _cannot(path, error) from error

    def append(self, records: IO[bytes]) -> None:
        """Add records that are whole.

        Raises:
            OSError: They can't be written. What is there stays whole.
        """
        with self._lock, _locked(self._ledger):
            whole = _read(self._ledger)
            self._file.seek(0, os.SEEK_END)
            if self._file.tell() != whole:
                self._file.truncate(whole)
                self._file.seek(whole)
            if not whole:
                with warc.info("scrapekit") as first:
                    shutil.copyfileobj(first, self._file)
            shutil.copyfileobj(records, self._file)
            self._file.flush()
            _write(self._ledger, self._file.tell())

    def close(self) -> None:
        """Close the files; idempotent."""
        with self._lock:
            if not self._file.closed:
                self._file.close()
                os.close(self._ledger)


def begin(path: str, *, resume: bool) -> None:
    """Make an archive ready to be appended to, once for all processes.

    Args:
        path: Of the archive.
        resume: Whether to go on with what is there; what was not written whole is cut off.

    Raises:
        ArchiveError: There is one already, which is not to be gone on with, or it can't be written.
    """
    try:
        size = Path(path).stat().st_size if Path(path).exists() else 0
        if size and not resume:
            raise ArchiveError(f"{path} is there already: record to another file, or delete it")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # for its owner: it has cookies in it, and what forms sent
        ledger = os.open(f"{path}{_LEDGER}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            noted = os.fstat(ledger).st_size == _LENGTH.size
            whole = min(_read(ledger), size) if noted and resume else size
            os.ftruncate(file, whole)
            _write(ledger, whole)
        finally:
            os.close(file)
            os.close(ledger)
    except OSError as error:
        raise _cannot(path, error) from error


def end(path: str) -> None:
    """The writers are gone: leave an archive that is whole, or none if nothing was recorded, and nothing beside it."""
    whole = whole_length(path)
    os.truncate(path, whole)
    if not whole:
        Path(path).unlink()
    Path(f"{path}{_LEDGER}").unlink()


def whole_length(path: str) -> int:
    """Bytes to which the archive is whole, also after a crash, and while it is being written."""
    try:
        ledger = os.open(f"{path}{_LEDGER}", os.O_RDONLY)
    except FileNotFoundError:
        return os.stat(path).st_size  # noqa: PTH116  (beside os.open)
    try:
        return _read(ledger)
    finally:
        os.close(ledger)


def _read(ledger: int) -> int:
    os.lseek(ledger, 0, os.SEEK_SET)
    length: int
    (length,) = _LENGTH.unpack(os.read(ledger, _LENGTH.size))
    return length


def _write(ledger: int, length: int) -> None:
    os.lseek(ledger, 0, os.SEEK_SET)
    os.write(ledger, _LENGTH.pack(length))


@contextmanager
def _locked(ledger: int) -> Iterator[None]:
    """Keep other processes off; the kernel lets go of what a process held that dies."""
    if sys.platform == "win32":  # pragma: no cover  (tested on POSIX)
        os.lseek(ledger, 1 << 30, os.SEEK_SET)  # what is locked can't be read
        msvcrt.locking(ledger, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(ledger, 1 << 30, os.SEEK_SET)
            msvcrt.locking(ledger, msvcrt.LK_UNLCK, 1)
        return
    fcntl.flock(ledger, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(ledger, fcntl.LOCK_UN)


def _cannot(path: str, error: OSError) -> ArchiveError:
    return ArchiveError(f"{path}: can't be recorded to: {error.strerror or error}")
