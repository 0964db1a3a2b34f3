"""How a crawl speaks: which of the terminal, stderr and the log file is told what while it runs."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TextIO

from scrapekit.cli.live import LIVE_SECONDS, LOG_SECONDS, Live
from scrapekit.cli.log import LogTarget, logging_to
from scrapekit.cli.pace import Pace
from scrapekit.errors import ScrapekitError

if TYPE_CHECKING:
    from rich.console import Console

    from scrapekit.cli.order import Order
    from scrapekit.engine import Snapshot
    from scrapekit.project import CrawlReport
    from scrapekit.project.job import Job
    from scrapekit.settings import Settings

logger = logging.getLogger("scrapekit")


class Voice:
    """What the command line and the settings ask for.

    Args:
        order: The command line.
        settings: All of them; those under ``log`` count, and the limits of the crawl.
        job: The job, by its name and that of its spider.
    """

    def __init__(self, order: Order, settings: Settings, job: Job) -> None:
        log, record = settings.log, job.record
        self._order = order
        self._settings = settings
        self._title = record.spider
        self._target = LogTarget(order.file_level(log.level), log.file, log.json, record.spider, job.id)
        self._console = None if self.is_json else _console(record.paths, quiet=order.quiet)

    @property
    def is_json(self) -> bool:
        """Whether stderr is for programs: nothing but JSON goes there."""
        return self._target.json_on_stderr

    def logging(self) -> AbstractContextManager[None]:
        """Log to where it should go, within a ``with`` block. Raises OutputError."""
        return logging_to(self._console, self._order.level(self._settings.log.level), self._target)

    def live(self, snapshot: Callable[[], Snapshot]) -> Live:
        """What shows the crawl while it runs."""
        every = LOG_SECONDS if self._console is None else LIVE_SECONDS
        return Live(
            snapshot,
            self._console,
            every=0 if self._order.quiet and self._target.file is None else every,
            redirect=is_terminal(sys.stdout),
            title=self._title,
            pace=Pace(self._settings.crawl.max_pages, self._settings.crawl.max_items),
            verbose=self._order.verbose,
            notes=not self.is_json,
        )

    @contextmanager
    def log_failure(self) -> Iterator[None]:
        """Log what ends the ``with`` block, for files; whoever shows errors tells all others."""
        try:
            yield
        except Exception as error:
            extra = {"event": "error", "error": type(error).__name__, "unshown": True}
            logger.log(logging.ERROR, "%s", error, extra=extra, exc_info=not isinstance(error, ScrapekitError))
            raise

    def log_end(self, report: CrawlReport, again: str) -> None:
        """Log how the crawl ended, for files and programs; people get the report. ``again`` says how to go on."""
        facts = {
            "reason": report.reason,
            "failure": report.failure,
            "pages": report.pages,
            "items": report.items,
            "failed": report.stats.failed,
            "elapsed": round(report.elapsed, 3),
            "outputs": list(report.outputs),
            "resume": again.removeprefix("to go on: "),
        }
        level = logging.WARNING if report.reason == "interrupted" else logging.INFO  # -q says how to go on, too
        level = logging.ERROR if report.failure else level
        how = f"{report.spider}: {report.failure or report.reason}"
        line = f"{how}: {report.pages:,} pages, {report.items:,} items, {report.stats.failed:,} errors"
        logger.log(level, "%s", line, extra={"event": "ended", "facts": facts, "unshown": not self.is_json})


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a standard stream is one; None is one that was closed when the process began."""
    return stream is not None and stream.isatty()


def _console(outputs: list[str], *, quiet: bool) -> Console | None:
    """The terminal for the display; None if stderr is none, or if the items go to it."""
    if quiet or not is_terminal(sys.stderr) or ("-" in outputs and is_terminal(sys.stdout)):
        return None
    if os.environ.get("CI", "false").lower() not in {"", "0", "false"}:
        return None  # some have a terminal, but nobody looks at it: a log of redrawn lines is no use
    from rich.console import Console

    # Some environments carry the size of another terminal, or of this one before it was resized.
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, _environ=environment)
    return None if console.is_dumb_terminal else console
