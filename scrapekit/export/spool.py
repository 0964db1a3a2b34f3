"""The :class:`SpooledSink`: JSON Lines while the crawl runs, the format that was asked for at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scrapekit.errors import ExportError
from scrapekit.export.formats import Format, Options
from scrapekit.export.lines import FileSink


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
        part = self._path.with_name(f".{self._path.name}.part")
        end = self._spool.position()["offset"]
        try:
            with self._format.opened(part) as file:
                self._format.write(lambda: self._lines(end), file, self._options)
            if self._fsync:
                _sync(part)
            part.replace(self._path)
            if self._fsync:
                _sync(self._path.parent)
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


def _sync(path: Path) -> None:
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):  # pragma: no cover  (Windows can't, and need not)
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
