"""Shows the crawl while it runs: a display that is redrawn on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from scrapekit.cli.display import Look, picture, status_line
from scrapekit.cli.pace import Pace

if TYPE_CHECKING:
    from rich.console import Console

    from scrapekit.engine import Snapshot

logger = logging.getLogger("scrapekit")

LIVE_SECONDS = 0.25
LOG_SECONDS = 5.0
_MARGIN = 3  # columns: a terminal that echoes ^C behind a full line would begin another one


class Live:
    """Shows the crawl from a thread of its own, until the ``with`` block ends.

    Args:
        snapshot: Gets the newest snapshot; called from that thread.
        console: The terminal for a display; None for a log line every few seconds.
        every: Seconds from one to the next; 0 for none at all.
        redirect: Whether what is printed to stdout goes above the display, because both are one terminal.
        title: The name of what is crawled.
        pace: Knows the limits of the crawl; None where it has none.
        verbose: Whether to say more.
        notes: Whether to show the notes of :meth:`say`; otherwise they are logged, and shown as such.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        console: Console | None,
        *,
        every: float,
        redirect: bool = False,
        title: str = "",
        pace: Pace | None = None,
        verbose: bool = False,
        notes: bool = True,
    ) -> None:
        self._snapshot = snapshot
        self._console = console
        self._every = every
        self._redirect = redirect
        self._title = title
        self._pace = pace or Pace()
        self._verbose = verbose
        self._notes_shown = notes
        self._logged_at = 0.0
        self._notes: SimpleQueue[str | None] = SimpleQueue()
        self._ended = False
        self._thread = Thread(target=self._run, name="scrapekit-live", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._notes.put(None)
        self._thread.join()

    def say(self, note: str) -> None:
        """Show a line above the display. Any thread, and signal handlers: it takes no lock that they may hold."""
        self._notes.put(note)

    def _run(self) -> None:
        if self._console is None or not self._every:
            self._loop(print_line, self._log)
            return
        try:
            self._draw(self._console)
        except (OSError, ValueError):  # the terminal has gone, or stderr was closed: the crawl goes on unseen
            self._every = 0.0
            if not self._ended:
                self._loop(print_line, self._log)

    def _draw(self, console: Console) -> None:
        from rich.live import Live as Redrawn
        from rich.text import Text

        area = Redrawn(
            console=console, auto_refresh=False, transient=True, redirect_stdout=self._redirect, redirect_stderr=True
        )

        def show(snapshot: Snapshot) -> None:
            width, height = console.size
            look = Look(width - _MARGIN, height, console.options.ascii_only, self._verbose)
            area.update(picture(self._title, snapshot, self._pace, look), refresh=True)
            if snapshot.elapsed_now - self._logged_at >= LOG_SECONDS:
                self._logged_at = snapshot.elapsed_now
                self._log(snapshot, shown=True)

        with area:
            self._loop(lambda note: console.print(Text(note), soft_wrap=True), show)

    def _loop(self, say: Callable[[str], Any], show: Callable[[Snapshot], Any]) -> None:
        while True:
            try:
                note = self._notes.get(timeout=self._every or None)
            except Empty:
                snapshot = self._snapshot()
                self._pace.add(snapshot)
                show(snapshot)
                continue
            if note is None:
                self._ended = True
                return
            if self._notes_shown:
                say(note)
            logger.warning("%s", note, extra={"event": "note", "unshown": self._notes_shown})

    def _log(self, snapshot: Snapshot, *, shown: bool = False) -> None:
        """Log how the crawl stands; ``shown``: for log files alone, for the display shows it."""
        rate = self._pace.rate()
        facts = {
            "pages": snapshot.pages,
            "pages_per_second": round(rate, 2),
            "items": snapshot.items,
            "pending": snapshot.pending,
            "in_flight": snapshot.in_flight,
            "failed": snapshot.failed,
            "retries": snapshot.retries,
        }
        logger.info("%s", status_line(snapshot, rate), extra={"event": "progress", "facts": facts, "unshown": shown})


def print_line(text: str) -> None:
    """A line to stderr. A reader that has gone away does not stop the crawl, nor that there is no stderr."""
    if sys.stderr is None:  # it was closed when the process began
        return
    with contextlib.suppress(OSError, ValueError):  # ValueError: stderr has been closed since
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
