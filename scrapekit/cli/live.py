"""How the crawl stands, while it runs: one line that is rewritten on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from scrapekit.safe import safe

if TYPE_CHECKING:
    from rich.console import Console

    from scrapekit.engine import Snapshot

logger = logging.getLogger("scrapekit")

LIVE_SECONDS = 0.25
LOG_SECONDS = 5.0
_RATE_SECONDS = 5.0
_HOSTS = 2


def status_line(snapshot: Snapshot, rate: float, now: float) -> str:
    """The snapshot in one line that is safe to show. Pure.

    Args:
        snapshot: How the crawl stands.
        rate: Pages a second.
        now: The time in seconds since the epoch, against which hosts wait.
    """
    parts = [
        f"{snapshot.pages:,} pages",
        f"{rate:,.1f}/s",
        f"{snapshot.items:,} items",
        f"{max(0, snapshot.pending - snapshot.in_flight):,} queued",
        f"{snapshot.in_flight:,} in flight",
        f"{snapshot.failed:,} errors",
    ]
    waiting = [host for host in snapshot.hosts if host.reason]
    for host in waiting[:_HOSTS]:
        seconds = host.until - now
        left = f" {seconds:,.0f} s" if 0.5 <= seconds < float("inf") else ""
        parts.append(f"{safe(host.name)}: {safe(host.reason)}{left}")
    if len(waiting) > _HOSTS:
        parts.append(f"{len(waiting) - _HOSTS:,} more hosts wait")
    return "  ".join(parts)


class Rate:
    """Pages a second over the last five seconds. For one thread."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque([(0.0, 0)])

    def add(self, snapshot: Snapshot) -> float:
        """The rate with this snapshot."""
        seen = self._seen
        if snapshot.elapsed_now > seen[-1][0]:
            seen.append((snapshot.elapsed_now, snapshot.pages_now))
        while len(seen) > 2 and seen[1][0] <= snapshot.elapsed_now - _RATE_SECONDS:
            seen.popleft()
        (start, before), (end, after) = seen[0], seen[-1]
        return (after - before) / (end - start) if end > start else 0.0


class Live:
    """Shows the crawl from a thread of its own, until the ``with`` block ends.

    Args:
        snapshot: Gives the newest snapshot; called from that thread.
        console: The terminal for a live line; None for a log line every few seconds.
        every: Seconds from line to line; 0 for none at all.
        redirect: Whether what is printed to stdout goes above the live line, because both are one terminal.
    """

    def __init__(
        self, snapshot: Callable[[], Snapshot], console: Console | None, *, every: float, redirect: bool = False
    ) -> None:
        self._snapshot = snapshot
        self._console = console
        self._every = every
        self._redirect = redirect
        self._rate = Rate()
        self._notes: SimpleQueue[str | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="scrapekit-live", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._notes.put(None)
        self._thread.join()

    def say(self, note: str) -> None:
        """Show a line above the live one. Any thread, and signal handlers: it takes no lock that they may hold."""
        self._notes.put(note)

    def _run(self) -> None:
        if self._console is None or not self._every:
            self._loop(print_line, self._log)
            return
        from rich.live import Live as Rewritten
        from rich.text import Text

        console = self._console
        line = Rewritten(
            console=console, auto_refresh=False, transient=True, redirect_stdout=self._redirect, redirect_stderr=True
        )
        with line:
            self._loop(
                lambda note: console.print(Text(note), soft_wrap=True),
                lambda text: line.update(Text(text, style="bold", no_wrap=True, overflow="ellipsis"), refresh=True),
            )

    def _loop(self, say: Callable[[str], Any], show: Callable[[str], Any]) -> None:
        while True:
            try:
                note = self._notes.get(timeout=self._every or None)
            except Empty:
                snapshot = self._snapshot()
                show(status_line(snapshot, self._rate.add(snapshot), time.time()))
                continue
            if note is None:
                return
            say(note)

    def _log(self, text: str) -> None:
        logger.info("%s", text)


def print_line(text: str) -> None:
    """A line to stderr. A reader that has gone away does not stop the crawl, nor that there is no stderr."""
    if sys.stderr is None:  # it was closed when the process began
        return
    with contextlib.suppress(OSError, ValueError):  # ValueError: stderr has been closed since
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
