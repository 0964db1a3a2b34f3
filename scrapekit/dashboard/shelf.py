"""The :class:`Shelf`: the jobs of a folder, whatever process runs or ran them. It only reads."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import Path
from threading import Event

from msgspec import Struct, structs

from scrapekit.dashboard import assets
from scrapekit.dashboard.frame import (
    About,
    Frame,
    HostRow,
    errors_of,
    latency_of,
    left_out_of,
    numbers_of,
    spiders_of,
)
from scrapekit.dashboard.latest import written
from scrapekit.dashboard.message import SAME, Answer, Question, Stream, event, text
from scrapekit.dashboard.trail import Open, Trail
from scrapekit.errors import FrontierError, JobNotFound
from scrapekit.messages.reason import reason
from scrapekit.project.job import Record
from scrapekit.project.jobs import Jobs
from scrapekit.project.ledger import Ledger
from scrapekit.safe import masked

_SECONDS = 2.0
_BARS = 120
_OPEN = ("pending", "leased")
_LOST = ("failed", "quarantined")


class Row(Struct, frozen=True):
    """A job in the list; the numbers are None where its ledger can't be read."""

    job: str
    spider: str
    state: str
    started: float | None
    output: str
    done: int | None = None
    pending: int | None = None
    failed: int | None = None


class Shelf:
    """Shows the list of jobs, and each job on a page of its own. Any thread may ask it.

    Args:
        root: The project's folder.
        why: What became of a URL, as text.
    """

    def __init__(self, root: Path, why: Callable[[str, str], str]) -> None:
        self._root = root
        self._jobs = Jobs(root)
        self._why = why
        self._closed = Event()

    def close(self) -> None:
        """End all streams."""
        self._closed.set()

    def page(self, question: Question) -> Answer | Stream:
        """The page of all jobs, and those of each."""
        job = question.query.get("job", "")
        match question:
            case Question("GET", "/events"):
                try:
                    return Stream(self._of_job(self._jobs.folder(job)) if job else self._list())
                except JobNotFound as error:
                    return text(404, str(error))
            case Question("GET", "/why"):
                return text(200, self._why(question.query.get("url", ""), job))
            case Question("GET", "/healthz"):
                return text(200, "ok")
            case Question("GET", path) if path.startswith("/jobs/"):
                return assets.asset("/") or text(404, "")
        return (assets.asset(question.path) if question.method == "GET" else None) or text(404, "there is nothing here")

    def _list(self) -> Generator[bytes, None, None]:
        known: dict[str, tuple[object, Row]] = {}
        before: list[Row] | None = None
        while True:
            began = time.monotonic()
            known = {job: self._row(job, record, known.get(job)) for job, record in self._jobs.all()}
            rows = [row for _, row in known.values()]
            yield event("jobs", rows) if rows != before else SAME
            before = rows
            if self._rest(began):
                return

    def _row(self, job: str, record: Record, known: tuple[object, Row] | None) -> tuple[object, Row]:
        """How a job stands; counted again only where something was written since."""
        folder, state = self._root / ".scrapekit" / "jobs" / job, self._jobs.state(job, record)
        version = _version(folder, state)
        if known is not None and known[0] == version:
            return known
        row = Row(job, record.spider, state, _started(record), masked(", ".join(record.paths)))
        try:
            with Ledger(folder) as ledger:
                counts = ledger.counts()
        except FrontierError:  # it is being made or removed, damaged, or of another version: shown as "?"
            return None, row
        pending, failed = (sum(counts.get(name, 0) for name in names) for names in (_OPEN, _LOST))
        return version, structs.replace(row, done=counts.get("done", 0), pending=pending, failed=failed)

    def _of_job(self, folder: Path) -> Generator[bytes, None, None]:
        try:
            yield from self._frames(folder)
        except (FrontierError, JobNotFound) as error:  # of another version, damaged, or removed just now
            yield event("gone", reason(error))

    def _frames(self, folder: Path) -> Generator[bytes, None, None]:
        before: Frame | None = None
        known: object = None
        with Trail(folder) as trail:
            while True:
                began = time.monotonic()
                record = Record.read(folder)
                state = self._jobs.state(folder.name, record)
                version = _version(folder, state)
                if before is not None and known == version and trail.is_complete and not before.hosts:
                    yield SAME
                else:
                    frame = self._frame(folder, trail, record, state)
                    same = before is not None and structs.replace(before, at=frame.at) == frame
                    yield SAME if same else event("frame", frame)
                    before, known = frame, version
                if self._rest(began):
                    return

    def _frame(self, folder: Path, trail: Trail, record: Record, state: str) -> Frame:
        job, now = folder.name, time.time()
        with Ledger(folder) as ledger:
            counts, course = ledger.counts(), ledger.course(_BARS)
        open_ = state != "finished" and any(counts.get(name) for name in _OPEN)
        seen = trail.seen(hosts=open_)
        stats = seen.stats
        resumable = record.resumable and state != "running"
        about = About(
            run=job,
            spider=record.spider,
            job=job,
            output=masked(", ".join(record.paths)),
            resume=shlex.join(["scrapekit", "crawl", *record.names, "--resume", job]) if resumable else "",
            started=_started(record),
        )
        return Frame(
            **structs.asdict(about),
            at=now,
            phase=state,
            why=f"job {record.replaced_by} has taken over its output" if record.replaced_by else "",
            rate=stats.pages / stats.elapsed if stats.elapsed else 0.0,
            numbers=numbers_of(stats, queued=sum(counts.get(name, 0) for name in _OPEN)),
            statuses=stats.statuses,
            errors=errors_of(stats),
            latency=latency_of(stats),
            left_out=left_out_of(stats),
            spiders=spiders_of(stats),
            hosts=[_host(each, now) for each in seen.hosts],
            slowest=seen.slowest,
            failing=seen.failing,
            items=written(self._root, folder, record.paths, seen.position),
            course=course,
        )

    def _rest(self, began: float) -> bool:
        """Wait until it is worth looking again, longer where looking takes long; whether it is over."""
        return self._closed.wait(max(_SECONDS, 10 * (time.monotonic() - began)))


def _host(found: Open, now: float) -> HostRow:
    until = found.until if found.until is not None and found.until > now else None
    return HostRow(found.host, queued=found.count, why=found.reason if until is not None else "", until=until)


def _started(record: Record) -> float | None:
    return datetime.fromisoformat(record.created).timestamp() if record.created else None


def _version(folder: Path, state: str) -> object:
    """What is another one when something about a job has been written since."""
    return state, *(_written(folder / name) for name in ("job.json", "frontier.sqlite", "frontier.sqlite-wal"))


def _written(path: Path) -> int:
    try:
        found = path.stat()
    except OSError:
        return 0
    return found.st_mtime_ns if found.st_size else 0  # whoever reads a database makes an empty write-ahead log
