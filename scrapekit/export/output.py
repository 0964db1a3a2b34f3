"""Opening an output: for a new crawl, or again for one that goes on."""

from __future__ import annotations

import errno
import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from scrapekit.errors import OutputError, OutputMismatch
from scrapekit.export.extras import need
from scrapekit.export.formats import Options, format_of
from scrapekit.export.lines import TRAILER_SIZE, FileSink, GzipSink, StreamSink, mark_at, read_at
from scrapekit.export.sink import Sink
from scrapekit.export.spool import SpooledSink

try:
    import fcntl
except ImportError:  # pragma: no cover  (Windows: the job's own lock is then the only one)
    fcntl = None  # type: ignore[assignment]

_OTHER_FORMATS = frozenset(
    {".avro", ".bz2", ".db", ".feather", ".lz4", ".parquet", ".pickle", ".pkl", ".sqlite", ".tsv"}
    | {".xls", ".xlsx", ".xz", ".yaml", ".yml", ".zip"}
)
_LAST_LINE = 1 << 20  # bytes that a last line without its end may have
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}  # what file systems without locks say
_POSITION = {"offset", "mark"}
_GZIP_POSITION = _POSITION | {"crc", "size"}
_DEFAULTS = Options()
_ADVICE = (
    "put it back as the crawl left it, or have what is gone fetched again (scrapekit jobs repair JOB), "
    "or start a new crawl"
)


def open_output(
    target: str | Path,
    *,
    overwrite: bool = False,
    parents: bool = False,
    fsync: bool = False,
    spool: Path | None = None,
    options: Options = _DEFAULTS,
) -> Sink:
    """Open the output of a new crawl, locked against others. Any thread.

    The suffix says the format: see :func:`~scrapekit.export.formats.format_of`; ``.jsonl.gz`` is compressed as it is
    written, names of formats that we don't write are refused, all else is JSON Lines.

    Args:
        target: A path, or ``-`` for stdout. A pipe or a device is written as a stream.
        overwrite: True empties the file; False begins at its end. A last line without a line end gets one if it is
            complete JSON; otherwise another crawl was cut off there, and the file is refused.
        parents: True creates the folders that the file lies in.
        fsync: True makes :meth:`Sink.flush` wait for the disk, so that the output survives the machine.
        spool: Where the lines lie until :meth:`Sink.finish`, for formats that are made at the end; None for a file
            beside the target, which goes when the output is closed.
        options: Of these formats.

    Raises:
        OutputError: One line: the folder does not exist, permission is denied, the format is not available, another
            process writes to it, or what is there can't be appended to.
        ExportError: The disk is full already.
    """
    path = Path(target)
    form = format_of(path)
    compressed = form is None and _is_gzip(path)
    if parents:
        _make_folder(path.parent, fsync=fsync)
    if form is not None:
        if form.extra:
            need(form.extra, str(path))
        _check_target(path, overwrite=overwrite)
        lines = spool or _beside(path)
        opened = open_output(lines, overwrite=True, fsync=fsync)
        assert isinstance(opened, FileSink)
        return SpooledSink(opened, path, form, options, fsync=fsync, temporary=spool is None)
    fd = _open(path)
    if isinstance(fd, StreamSink):
        return fd
    with _closing_on_error(fd, path):
        _lock(fd, path)
        if fsync:
            _sync_folder(path.parent)
        if overwrite:
            os.ftruncate(fd, 0)
        offset = os.fstat(fd).st_size
        last = _last_line(fd, path, compressed=compressed)
        sink = (GzipSink if compressed else FileSink)(fd, str(path), offset, fsync=fsync)
        if last:
            _check_json(last, path)
            sink.append([b""])
    return sink


def resume_output(
    target: str | Path,
    committed: Mapping[str, Any],
    *,
    whole: bool = False,
    fsync: bool = False,
    spool: Path | None = None,
    options: Options = _DEFAULTS,
) -> Sink:
    """Open the output of a crawl that goes on, and cut it back to the ``committed`` position. Any thread.

    The file may have been moved or copied; it must have the bytes that were committed. What follows them after a crash
    is taken for this crawl's own uncommitted tail, and cut off: a line that something else appended there can't be told
    from it. :attr:`Sink.cut` says how much it was.

    Args:
        target: A path, or ``-`` for stdout. Stdout, a pipe or a device can't be cut back.
        committed: What :meth:`Sink.position` returned when it was last stored.
        whole: The crawl ended in order, so whatever follows was written by somebody else, and is not cut off.
        fsync: As for :func:`open_output`.
        spool: So is this.
        options: And this.

    Raises:
        OutputMismatch: The file is gone, shorter than committed, or has other bytes, or more where it was whole.
        OutputError: It can't be opened, or another process writes to it.
    """
    path = Path(target)
    form = format_of(path)
    if form is not None:
        if form.extra:
            need(form.extra, str(path))
        resumed = resume_output(spool or _beside(path), committed, whole=whole, fsync=fsync)
        assert isinstance(resumed, FileSink)
        return SpooledSink(resumed, path, form, options, fsync=fsync, temporary=spool is None)
    compressed = _is_gzip(path)
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
            return FileSink(fd, str(path), offset, fsync=fsync, cut=beyond)
        crc, size = committed["crc"], committed["size"]
        return GzipSink(fd, str(path), offset, crc=crc, size=size, fsync=fsync, cut=beyond)


def _is_gzip(path: Path) -> bool:
    """Whether the name asks for gzip; a name of a format that we don't write is refused."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    compressed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[:-1][-1:] if compressed else suffixes[-1:])
    if suffix in _OTHER_FORMATS:
        raise OutputError(
            f"{path}: {suffix} is not available; .jsonl, .csv, .json, .xml, each also with .gz or .zst, "
            ".parquet, and - (stdout) are"
        )
    return compressed


def _beside(path: Path) -> Path:
    """A spool that nobody takes for the output."""
    return path.with_name(f".{path.name}.spool")


def _check_target(path: Path, *, overwrite: bool) -> None:
    """Find out now, not after hours, whether the file can be made at the end."""
    if path.is_dir():
        raise OutputError(f"{path}: the output is a folder, not a file")
    if path.exists() and not path.is_file():
        raise OutputError(
            f"{path}: {path.suffix} is made whole at the end, so it can't go to a pipe; write .jsonl there"
        )
    if path.exists() and not overwrite and path.stat().st_size:
        raise OutputError(
            f"{path}: can't be appended to, {path.suffix} is made whole at the end of a crawl: "
            "overwrite it with -O, or take another name, or .jsonl"
        )
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: the output can't be opened: no file can be made in {path.parent}")


def _make_folder(folder: Path, *, fsync: bool) -> None:
    try:
        new = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for each in new if fsync else ():
            _sync_folder(each.parent)
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder}: the folder can't be created: {_reason(error)}") from error


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
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _cannot_open(path, error) from error
    return fd


def _cannot_open(path: Path, error: Exception) -> OutputError:
    return OutputError(f"{path}: the output can't be opened: {_reason(error)}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _sync_folder(folder: Path) -> None:
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
