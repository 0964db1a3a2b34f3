"""Where log records go: to stderr, above the display where there is one, and to the log file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from scrapekit.cli.live import print_line
from scrapekit.safe import LOG_FORMAT, SafeFormatter

if TYPE_CHECKING:
    from rich.console import Console

_FILE_FORMAT = SafeFormatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")


class TerminalHandler(logging.Handler):
    """Writes records that are safe to show.

    Args:
        console: The terminal that the display is on; None for plain stderr.
    """

    def __init__(self, console: Console | None) -> None:
        super().__init__()
        self._console = console
        self.setFormatter(LOG_FORMAT)
        self.addFilter(lambda record: not getattr(record, "unshown", False))  # what stderr shows in another way

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


class LogTarget(NamedTuple):
    """A file to log to, or JSON instead of text.

    Args:
        level: From which level up records go to the file.
        file: Its path; None for none.
        json: Whether to write JSON: to the file, or to stderr where there is none.
        spider: The name of the spider, or of several, as JSON tells it.
        job: The job's id.
    """

    level: int = logging.INFO
    file: str | None = None
    json: bool = False
    spider: str = ""
    job: str = ""

    @property
    def json_on_stderr(self) -> bool:
        """Whether stderr has JSON and nothing else."""
        return self.json and self.file is None


@contextmanager
def logging_to(
    console: Console | None, level: int, target: LogTarget | None = None, *, only: str = ""
) -> Iterator[None]:
    """Show what scrapekit and the spider log, from ``level`` up, until the ``with`` block ends.

    Args:
        console: The terminal that the display is on; None for plain stderr.
        level: That of the terminal.
        target: Where else to log to.
        only: The one kind of event that is shown; empty for all.

    Raises:
        OutputError: The file of ``target`` can't be opened.
    """
    root, shown = logging.getLogger(), TerminalHandler(console)
    shown.setLevel(level)
    if only:
        shown.addFilter(lambda record: getattr(record, "event", "") == only)
    handlers: list[logging.Handler] = [shown]
    least = level
    if target is not None:
        if target.file is not None:
            from scrapekit.cli.logfile import LogFile

            handlers.append(LogFile(target.file))
            handlers[-1].setLevel(target.level)
            handlers[-1].setFormatter(_FILE_FORMAT)
            least = min(level, target.level)
        if target.json:
            from scrapekit.cli.jsonlog import JsonFormatter

            handlers[-1].setFormatter(JsonFormatter(target.spider, target.job))
    before = root.level
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(least)
    urllib3 = logging.getLogger("urllib3")
    urllib3.setLevel(logging.ERROR)  # what it warns of we report ourselves, as errors and flags
    try:
        yield
    finally:
        urllib3.setLevel(logging.NOTSET)
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
