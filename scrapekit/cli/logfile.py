"""The log file: what is logged is appended to it, one write a record."""

from __future__ import annotations

import logging
import os

from scrapekit.cli.live import print_line
from scrapekit.errors import OutputError
from scrapekit.safe import safe


class LogFile(logging.Handler):
    """Appends records to a file; several processes may append to the same.

    A file that can't be written any more, for instance because the disk is full, is said once to stderr. What is logged
    is lost then, until it can be written again; the crawl goes on.

    Args:
        path: The file; it is made if it is not there.

    Raises:
        OutputError: It can't be opened.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._torn = False
        self._told = False
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(f"the log file {path} can't be opened: {error.strerror}") from error

    def emit(self, record: logging.LogRecord) -> None:
        """Append one record; a broken one is reported as the logging module does it."""
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
            if self._torn:
                line = b"\n" + line
            written = os.write(self._file, line)  # without a buffer, which a full disk would leave half written
            self._torn = written < len(line)
        except OSError as error:
            self._tell(error)
        except Exception:  # noqa: BLE001  (the contract of logging handlers)
            self.handleError(record)

    def close(self) -> None:
        """Close the file; idempotent."""
        with self.lock:  # type: ignore[union-attr]  # made by logging.Handler
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
        super().close()

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            print_line(f"the log file {safe(self._path)} can't be written: {error.strerror}; what is logged is lost")
