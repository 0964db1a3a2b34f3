"""Log records to stderr, one line each, above the live line where there is one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scrapekit.cli.live import print_line
from scrapekit.safe import LOG_FORMAT

if TYPE_CHECKING:
    from rich.console import Console


class TerminalHandler(logging.Handler):
    """Writes records that are safe to show.

    Args:
        console: The terminal that the live line is on; None for plain stderr.
    """

    def __init__(self, console: Console | None) -> None:
        super().__init__()
        self._console = console
        self.setFormatter(LOG_FORMAT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a broken one is reported as the logging module does it."""
        try:
            text = self.format(record)
            if self._console is None:
                print_line(text)
            else:
                from rich.text import Text

                self._console.print(Text(text), soft_wrap=True)
        except Exception:  # noqa: BLE001  (the contract of logging handlers)
            self.handleError(record)


@contextmanager
def logging_to(console: Console | None, level: int) -> Iterator[None]:
    """Show what scrapekit and the spider log, from ``level`` up, until the ``with`` block ends."""
    root, handler = logging.getLogger(), TerminalHandler(console)
    before = root.level
    root.addHandler(handler)
    root.setLevel(level)
    urllib3 = logging.getLogger("urllib3")
    urllib3.setLevel(logging.ERROR)  # what it warns of we report ourselves, as errors and flags
    try:
        yield
    finally:
        urllib3.setLevel(logging.NOTSET)
        root.setLevel(before)
        root.removeHandler(handler)
