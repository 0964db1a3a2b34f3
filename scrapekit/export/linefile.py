"""The files of JSON Lines, plain or gzip, and streams: opening them for a new crawl, or again for one that goes on."""

from __future__ import annotations

import errno
import glob
import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from scrapekit.errors import OutputError, OutputMismatch
from scrapekit.export.formats import refuse_other_formats
from scrapekit.export.lines import TRAILER_SIZE, FileSink, GzipSink, StreamSink, mark_at, read_at
from scrapekit.export.opener import Terms

try:
    import fcntl
except ImportError:  # pragma: no cover  (Windows: the job's own lock is then the only one)
    fcntl = None  # type: ignore[assignment]

_LAST_LINE = 1 << 20  # bytes that a last line without its end may have
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}  # what file systems without locks say
_POSITION = {"offset", "mark"}
_GZIP_POSITION = _POSITION | {"crc", "size"}
_ADVICE = (
    "put it back as the crawl left it, or have what is gone fetched again (scrapekit jobs repair JOB), "
    "or start a new crawl"
)


def open_lines(target: str, terms: Terms) -> FileSink | StreamSink:
    """Open a file, or ``-`` for stdout; a pipe or a device is written as a stream. See :class:`Opener`."""
    path = Path(target)
    if terms.parents:
        make_folder(path.parent, fsync=terms.fsync)
    fd = _open(path)
    if isinstance(fd, StreamSink):
        return fd
    compressed = path.suffix.lower() == ".gz"
    with _closing_on_error(fd, path):
        _lock(fd, path)
        if terms.fsync:
            sync_folder(path.parent)
        size = os.fstat(fd).st_size
        kind = GzipSink if compressed else FileSink
        if terms.overwrite:
            return kind(fd, str(path), 0, fsync=terms.fsync, old=size > 0)
        last = _last_line(fd, path, compressed=compressed)
        sink = kind(fd, str(path), size, fsync=terms.fsync)
        if last:
            _check_json(last, path)
            sink.append([b""])
    return sink


def resume_lines(target: str, committed: Mapping[str, Any], terms: Terms, *, whole: bool) -> FileSink | StreamSink:
    """Open it again, cut back to what was committed. Stdout, a pipe or a device can't be cut. See :class:`Opener`."""
    path = Path(target)
    compressed = path.suffix.lower() == ".gz"
    offset = committed.get("offset", 0)
    fd = _open(path, offset)
    if isinstance(fd, StreamSink):
        return fd
    with _closing_on_error(fd, path):
        _lock(fd, path)
        _check_same(fd, path, committed, compressed=compressed)
        beyond = os.fstat(fd).st_size - offset
        trailer = TRAILER_SIZE if committed.get("size") else 0
        beyond = max(0, beyond - trailer)
        if whole and beyond:
            raise OutputMismatch(
                f"{path} has {beyond:,} bytes that this job did not write behind its own: take them out "
                f"(truncate -s {offset + trailer} {path}), or start a new crawl"
            )
        os.ftruncate(fd, offset)
        if not compressed:
            return FileSink(fd, str(path), offset, fsync=terms.fsync, cut=beyond)
        crc, size = committed["crc"], committed["size"]
        return GzipSink(fd, str(path), offset, crc=crc, size=size, fsync=terms.fsync, cut=beyond)


def make_folder(folder: Path, *, fsync: bool) -> None:
    """Make a folder that an output is to lie in, and those above it. Raises OutputError."""
    try:
        new = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for each in new if fsync else ():
            sync_folder(each.parent)
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder}: the folder can't be created: {_reason(error)}") from error


def check_place(path: Path, terms: Terms) -> None:
    """See to it that a file can be made there, in a format that is written. Raises OutputError."""
    if terms.parents:
        make_folder(path.parent, fsync=terms.fsync)
    refuse_other_formats(path)
    check_folder(path)
    if not os.access(Path(os.path.realpath(path)).parent, os.W_OK):
        raise OutputError(f"{path}: the output can't be opened: no file can be made in {path.parent}")


def check_folder(path: Path) -> None:
    """See to it that the folder is there that a file is to lie in. Raises OutputError."""
    try:
        folder = Path(os.path.realpath(path)).parent
    except ValueError as error:  # a NUL in the path
        raise _cannot_open(path, error) from error
    if not folder.is_dir():
        shown = folder if path.is_symlink() else path.parent
        raise OutputError(f"{path}: the folder {shown} does not exist; create it first")


def files_like(pattern: str) -> list[str]:
    """The files that a pattern of :mod:`glob` finds and that are not empty."""
    return [found for found in glob.iglob(pattern) if Path(found).stat().st_size]  # noqa: PTH207  (a whole path, perhaps absolute)


@contextmanager
def _closing_on_error(fd: int, path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        os.close(fd)
        if isinstance(error, OSError):
            raise _cannot_open(path, error) from error
        raise


def _open(path: Path, written: int = 0) -> int | StreamSink:
    """The descriptor of a regular file, created unless something was ``written``; a sink for what is not one."""
    if str(path) == "-":
        return StreamSink(1, "-", owned=False)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return StreamSink(os.open(path, os.O_WRONLY), str(path))
        fd = os.open(path, os.O_RDWR | (0 if written else os.O_CREAT) | getattr(os, "O_BINARY", 0), 0o666)
    except IsADirectoryError as error:
        raise OutputError(f"{path}: the output is a folder, not a file") from error
    except FileNotFoundError as error:
        if written:
            raise OutputMismatch(f"{path} is gone, but this job had written {written:,} bytes: {_ADVICE}") from error
        check_folder(path)
        raise _cannot_open(path, error) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _cannot_open(path, error) from error
    return fd


def _cannot_open(path: Path, error: Exception) -> OutputError:
    return OutputError(f"{path}: the output can't be opened: {_reason(error)}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def sync_folder(folder: Path) -> None:
    """Wait until the folder's entries are on the disk: a new file's fsync does not promise that its name is."""
    if not hasattr(os, "O_DIRECTORY"):  # pragma: no cover  (Windows can't, and need not)
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _lock(fd: int, path: Path) -> None:
    """Lock the file until it is closed, where the file system can."""
    if fcntl is None:  # pragma: no cover  (Windows)
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(f"{path}: another crawl is writing to this output") from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _check_same(fd: int, path: Path, committed: Mapping[str, Any], *, compressed: bool) -> None:
    if committed.keys() != (_GZIP_POSITION if compressed else _POSITION):
        raise OutputMismatch(f"{path} can't go on with this job's output, which was of another format: {_ADVICE}")
    size, offset = os.fstat(fd).st_size, committed["offset"]
    if size < offset:
        raise OutputMismatch(f"{path} has {size:,} bytes, but this job had written {offset:,}: {_ADVICE}")
    if mark_at(fd, offset) != committed["mark"]:
        raise OutputMismatch(f"{path} is not the file that this job wrote, its bytes differ: {_ADVICE}")


def _last_line(fd: int, path: Path, *, compressed: bool) -> bytes:
    """What follows the last line end of a file, or the last mebibyte of that."""
    if not compressed:
        size = os.fstat(fd).st_size
        end = read_at(fd, max(0, size - _LAST_LINE), size)
    else:  # all is read, for a member that is cut off would hide whatever is appended
        end = b""
        try:
            with gzip.open(path) as lines:
                while chunk := lines.read(_LAST_LINE):
                    end = (end + chunk)[-_LAST_LINE:]
        except (OSError, EOFError, zlib.error) as error:
            raise OutputError(f"{path}: can't be appended to, it is not complete gzip: {error}") from error
    return end[end.rfind(b"\n") + 1 :]


def _check_json(last: bytes, path: Path) -> None:
    try:
        msgspec.json.decode(last)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OutputError(
            f"{path}: can't be appended to, its last line is cut off: resume the crawl that wrote it, or remove it"
        ) from error
