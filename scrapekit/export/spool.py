"""The :class:`SpooledSink`: JSON Lines while the crawl runs, the format that was asked for at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scrapekit.errors import ExportError, OutputError
from scrapekit.export.formats import Format, Options, format_of, refuse_other_formats
from scrapekit.export.linefile import check_place, files_like, open_lines, resume_lines
from scrapekit.export.lines import FileSink
from scrapekit.export.opener import Terms


class SpooledFiles:
    """The :class:`Opener` of files that are made whole at the end."""

    def open(self, target: str, terms: Terms) -> SpooledSink:
        """Open the spool, and find out now, not after hours, whether the file can be made."""
        path = Path(target)
        check_place(path, terms)
        _check_target(path, overwrite=terms.overwrite)
        return _spooled(path, open_lines(str(terms.spool or _beside(path)), Terms(True, fsync=terms.fsync)), terms)

    def resume(self, target: str, committed: Mapping[str, Any], terms: Terms, *, whole: bool) -> SpooledSink:
        """Open the spool again."""
        path = Path(target)
        refuse_other_formats(path)
        return _spooled(path, resume_lines(str(terms.spool or _beside(path)), committed, terms, whole=whole), terms)

    def probe(self, target: str, terms: Terms) -> None:
        """The format and the folder."""
        check_place(Path(target), terms)

    def find(self, pattern: str) -> list[str]:
        """Those that are not empty."""
        return files_like(pattern)


def _spooled(path: Path, lines: Any, terms: Terms) -> SpooledSink:
    form = format_of(path)
    assert form is not None
    assert isinstance(lines, FileSink)
    return SpooledSink(lines, path, form, terms.options, fsync=terms.fsync, temporary=terms.spool is None)


class SpooledSink:
    """Lines to a spool, as safe there as in any :class:`FileSink`, and at :meth:`finish` to the file, all or nothing.

    Args:
        spool: The lines.
        path: The file.
        form: Its format.
        options: Of the format.
        fsync: Whether the file must be on the disk when :meth:`finish` returns.
        temporary: Whether the spool goes when this is closed.
    """

    def __init__(
        self, spool: FileSink, path: Path, form: Format, options: Options, *, fsync: bool, temporary: bool
    ) -> None:
        self.name = str(path)
        self.cut = spool.cut
        self.append = spool.append
        self.position = spool.position
        self.flush = spool.flush
        self.committed = spool.committed
        self._spool = spool
        self._path = path
        self._format = form
        self._options = options
        self._fsync = fsync
        self._temporary = temporary

    def finish(self) -> None:
        """Write the file under a temporary name, then give it its own: whoever looks sees the old one or the whole new.

        Raises:
            ExportError: It can't be written. The spool stays, so that it can be tried again.
        """
        end = self._spool.position()["offset"]
        try:
            with replace_with(self._path, fsync=self._fsync) as part, self._format.opened(part) as file:
                self._format.write(lambda: self._lines(end), file, self._options)
        except OSError as error:
            raise ExportError(f"{self._path}: can't be written: {error.strerror or error}") from error

    def close(self) -> None:
        """Close the spool."""
        self._spool.close()
        if self._temporary:
            Path(self._spool.name).unlink(missing_ok=True)

    def _lines(self, end: int) -> Iterator[bytes]:
        with Path(self._spool.name).open("rb") as file:
            left = end
            for line in file:
                left -= len(line)
                if left < 0:
                    return
                yield line[:-1]


@contextmanager
def replace_with(path: Path, *, fsync: bool) -> Iterator[Path]:
    """A file that takes the place of ``path`` when it is whole; where that fails, it goes. Raises OSError.

    What a symbolic link leads to is replaced, not the link.
    """
    path = Path(os.path.realpath(path))
    new = path.with_name(f".{path.name}.part")
    try:
        yield new
        if fsync:
            sync(new)
        new.replace(path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell; half a file would only fill the disk
            new.unlink(missing_ok=True)
        raise
    if fsync:
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. Raises OSError."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):  # pragma: no cover  (Windows can't, and need not)
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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
