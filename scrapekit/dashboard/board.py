"""The :class:`Board`: what is shown of a crawl that runs in this process, and what can be done to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from msgspec import structs

from scrapekit.dashboard import assets
from scrapekit.dashboard.course import Course
from scrapekit.dashboard.feed import Feed
from scrapekit.dashboard.frame import (
    About,
    Frame,
    Pool,
    errors_of,
    hosts_of,
    latency_of,
    left_out_of,
    numbers_of,
    spiders_of,
)
from scrapekit.dashboard.latest import Latest
from scrapekit.dashboard.message import Answer, Question, Stream, event, text
from scrapekit.dashboard.metrics import Named, exposition
from scrapekit.dashboard.pulse import Pulse
from scrapekit.dashboard.trail import Seen, Trail
from scrapekit.download import PoolStats
from scrapekit.engine import Snapshot
from scrapekit.errors import FrontierError
from scrapekit.messages.reason import reason

logger = logging.getLogger("scrapekit")

_SECOND = 1.0
_NEWEST = 3  # points, so that one that is missed comes with the next frame
_GOODBYE_SECONDS = 2.0  # that pages get to hear how it ended


class Controls(NamedTuple):
    """What the page may do; each is called in a thread of the server, and returns at once."""

    pause: Callable[[], None]
    unpause: Callable[[], None]
    stop: Callable[[], None]
    halt: Callable[[], None]


class Board:
    """Looks at the crawl once a second, in a thread of its own, and tells all who watch. Any thread may ask it.

    Args:
        about: Which crawl it is.
        folder: The job's, whose ledger is read.
        snapshot: Gives the newest one.
        pool_stats: Gives the newest ones.
        latest: The audience of the crawl.
        controls: What may be done to it.
        patience: Seconds that may pass between two outcomes: see :class:`Pulse`.
        why: What became of a URL, as text.
    """

    def __init__(
        self,
        about: About,
        folder: Path,
        *,
        snapshot: Callable[[], Snapshot],
        pool_stats: Callable[[], PoolStats],
        latest: Latest,
        controls: Controls,
        patience: float,
        why: Callable[[str, str], str],
    ) -> None:
        self._about = about
        self._folder = folder
        self._snapshot = snapshot
        self._pool_stats = pool_stats
        self._latest = latest
        self._controls = controls
        self._why = why
        self._named = Named()
        self._feed = Feed()
        self._course = Course()
        self._pulse = Pulse(patience, time.monotonic())
        self._seen = Seen()  # replaced as a whole by the thread that watches, like all that others read
        self._stopped = False
        self._ended: tuple[str, str] | None = None
        self._end = Event()
        self._thread = Thread(target=self._watch, name="scrapekit-dashboard", daemon=True)
        self._thread.start()

    def end(self, phase: str, why: str = "") -> None:
        """It has come to its end: say so to all who watch, and wait a moment until they have heard it."""
        self._ended = (phase, reason(why))
        self._end.set()
        self._thread.join()
        self._feed.drain(_GOODBYE_SECONDS)

    def page(self, question: Question) -> Answer | Stream:
        """The page, and all that the service has."""
        match question:
            case Question("GET", "/events"):
                return Stream(self._feed.follow(self._first))
            case Question("GET", "/why"):
                return text(200, self._why(question.query.get("url", ""), self._about.job))
            case Question("POST", path):
                return self._do(path)
        return assets.asset(question.path) or self.service(question)

    def service(self, question: Question) -> Answer:
        """What monitoring asks for."""
        match question:
            case Question("GET", "/healthz"):
                complaint = None if self._ended else self._pulse.complaint(time.monotonic())
                return text(200, "ok") if complaint is None else text(503, complaint)
            case Question("GET", "/metrics"):
                return exposition(self._about, self._snapshot(), self._pool_stats(), question.accept, self._named)
        return text(404, "there is nothing here")

    def _do(self, path: str) -> Answer:
        controls, stopping = self._controls, self._stopping
        does = {
            "/pause": controls.pause,
            "/resume": controls.unpause,
            "/stop": controls.halt if stopping else controls.stop,
        }
        if path not in does:
            return text(404, "there is nothing here")
        if self._ended or (stopping and path != "/stop"):
            return text(409, "the crawl ends already")
        self._stopped = path == "/stop"
        does[path]()
        return text(200, "ok")

    @property
    def _stopping(self) -> bool:
        """Whether it was told to end, here or elsewhere."""
        return self._stopped or bool(self._snapshot().reason)

    def _phase(self, snapshot: Snapshot) -> str:
        """How it stands before it has ended."""
        if snapshot.reason and not snapshot.in_flight:
            return "finishing"  # its files are being made
        return "stopping" if self._stopping else "paused" if snapshot.paused else "running"

    def _watch(self) -> None:
        """The thread: once a second, look, and tell. It ends with the crawl, whatever it can't read."""
        with ExitStack() as opened:
            trail: Trail | None = None
            try:
                trail = opened.enter_context(Trail(self._folder))
            except FrontierError as error:
                logger.warning("the dashboard shows no URLs: %s", error)
            due, ended = time.monotonic(), False
            while not ended:
                due = max(due + _SECOND, time.monotonic())
                ended = self._end.wait(due - time.monotonic())
                snapshot = self._snapshot()
                self._course.add(snapshot)
                self._pulse.feel(snapshot, time.monotonic())
                if trail is not None:
                    try:
                        self._seen = trail.seen()
                    except FrontierError as error:
                        logger.warning("the dashboard shows no more URLs: %s", error)
                        trail = None
                if ended or self._feed.followers:
                    self._feed.publish(event("frame", self._frame(_NEWEST)), last=ended)

    def _first(self) -> bytes:
        """What a page is told that has just come."""
        return event("frame", self._frame(0))

    def _frame(self, points: int) -> Frame:
        """How it stands, with the last ``points``; 0 for all of them."""
        snapshot, seen = self._snapshot(), self._seen
        phase, why = self._ended or (self._phase(snapshot), "")
        return Frame(
            **structs.asdict(self._about),
            at=snapshot.at,
            phase=phase,
            why=why,
            live=True,
            controls=self._ended is None and phase != "finishing",
            workers=snapshot.workers,
            rate=self._course.rate,
            numbers=numbers_of(
                snapshot,
                queued=max(0, snapshot.pending - snapshot.in_flight),
                in_flight=snapshot.in_flight,
            ),
            statuses=snapshot.statuses,
            errors=errors_of(snapshot),
            latency=latency_of(snapshot),
            left_out=left_out_of(snapshot),
            spiders=spiders_of(snapshot),
            hosts=hosts_of(snapshot),
            pool=Pool.of(self._pool_stats()),
            slowest=seen.slowest,
            failing=seen.failing,
            items=self._latest.items(),
            points=self._course.points[-points:],
        )
