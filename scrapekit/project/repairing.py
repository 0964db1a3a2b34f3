"""Repairing a job whose output has lost lines: the requests that they came from go back into its queue."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from scrapekit.engine import Frontier, Stats
from scrapekit.engine.schema import DONE, FAILED, PENDING
from scrapekit.errors import FrontierError, JobNotFound, OutputMismatch
from scrapekit.export import (
    NOT_YET,
    committed_of,
    format_of,
    groups_intact,
    part_path,
    parts_intact,
    scheme_of,
    segment_spool,
)
from scrapekit.project.job import Job
from scrapekit.project.naming import file_name
from scrapekit.project.outputs import spool_of

_LOST = f"finished IN (SELECT at FROM written WHERE id > ?) AND state IN ({DONE}, {FAILED})"
_COUNT = f"""SELECT state, count(*) FROM requests
    WHERE {_LOST} AND (status IS NULL OR status NOT BETWEEN 300 AND 399) GROUP BY state"""
_REQUEUE = f"""UPDATE requests
    SET state = {PENDING}, not_before = 0, attempts = 0, status = NULL, error = NULL, finished = NULL WHERE {_LOST}"""


class Repair(Struct, frozen=True):
    """What a repair came to.

    Args:
        lines: Items that are no longer in all outputs as they were written, or behind one that is not.
        requests: That will be made again for them.
        kept: Bytes from the start of the output that are as they were; the next run cuts off the rest.
        output: The file that has lost the most; where none has, all of them.
    """

    lines: int
    requests: int
    kept: int
    output: str


def repair(job: Job, root: Path) -> Repair:
    """Look at each group of lines that a job has committed, and requeue those that its outputs do not hold any more.

    From the first group that is not there as it was written, in one of them, all are requeued. If something was lost,
    the job can be resumed then, also if it had finished. The outputs themselves are not touched here.

    Args:
        job: Its lock is held.
        root: The folder that the paths of the outputs are relative to.

    Raises:
        JobNotFound: Another job has taken over its output, or all are streams, which nobody can look at again.
        OutputMismatch: What was in the file before the job began is gone.
        FrontierError: The job's state can't be used.
    """
    record = job.record
    if record.replaced_by:
        raise JobNotFound(f"job {job.id} can't be repaired: job {record.replaced_by} has taken over its output")
    Frontier(str(job.frontier_path)).close()  # refuses what is none, or another version's
    try:
        with closing(sqlite3.connect(job.frontier_path, isolation_level=None)) as db:
            groups = [
                (number, msgspec.json.decode(position), lines, digest)
                for number, position, lines, digest in db.execute("SELECT id, position, lines, digest FROM written")
            ]
            good, path, kept = _intact(job, root, [(position, digest) for _, position, _, digest in groups])
            lines = sum(count for _, _, count, _ in groups[good:])
            last, position, *_ = groups[good - 1]
            requests = 0
            if lines:
                job.finish("interrupted")  # before the commit: one that can be resumed in vain does no harm
                requests = _requeue(db, last, position, lines)
            else:
                path = ", ".join(record.paths)
    except sqlite3.Error as error:
        raise FrontierError(f"{job.frontier_path}: the crawl's state can't be used: {error}") from error
    return Repair(lines, requests, kept, path)


def _intact(job: Job, root: Path, groups: list[tuple[dict[str, Any], bytes]]) -> tuple[int, str, int]:
    """How many groups, from the first one on, all outputs hold; which file holds the fewest, and up to which byte."""
    found = []
    by_file: dict[tuple[int, str], list[tuple[Mapping[str, Any], bytes]]] = {}
    for at, (group, digest) in enumerate(groups):
        for key, known in committed_of(group).items():
            # A file that came later was not there before: it began with nothing.
            written = by_file.setdefault(key, [(NOT_YET, b"")] * at)
            written.append((known.position, digest if known.digest is None else known.digest))
    for (number, kind), written in by_file.items():
        name = file_name(job.record.outputs[number].path, kind)
        path = root / name
        spooled = bool(scheme_of(name)) or format_of(path) is not None
        if spooled:
            path = spool_of(job.spool_path, number, kind)
        last = written[-1][0]
        if "part" in last:
            segment = partial(segment_spool, path) if spooled else partial(part_path, str(path))
            good = parts_intact(segment, written)
            last = written[good - 1][0]
            path, kept = segment(last.get("part", 1)), last.get("at", last)["offset"]
        elif "offset" in last:
            good = groups_intact(path, written)
            kept = written[good - 1][0]["offset"]
        else:
            continue
        if not good:
            raise OutputMismatch(
                f"{path} does not hold any more what was in it before job {job.id} began: put it back, or start "
                "a new crawl"
            )
        found.append((good, str(path), int(kept)))
    if not found:
        raise JobNotFound(f"job {job.id} can't be repaired: its output is a stream, or it has not begun")
    return min(found)


def _requeue(db: sqlite3.Connection, last: int, position: dict[str, Any], lines: int) -> int:
    """Make all that was written after the group ``last`` unwritten; the number of requests."""
    found = db.execute("SELECT value FROM meta WHERE key = 'stats'").fetchone()
    stats = msgspec.json.decode(found[0], type=Stats, strict=False)
    db.execute("BEGIN IMMEDIATE")
    counts: dict[int, int] = dict(db.execute(_COUNT, (last,)).fetchall())
    stats.items -= lines
    items_of = db.execute("SELECT items_of FROM written WHERE id = ?", (last,)).fetchone()[0]
    stats.items_of = msgspec.json.decode(items_of or b"{}", type=dict[str, int])
    stats.pages -= counts.get(DONE, 0)
    stats.failed -= counts.get(FAILED, 0)
    db.execute(f"DELETE FROM rejected WHERE request IN (SELECT id FROM requests WHERE {_LOST})", (last,))
    requests = db.execute(_REQUEUE, (last,)).rowcount
    db.execute("DELETE FROM item_keys WHERE rowid > (SELECT keys FROM written WHERE id = ?)", (last,))
    db.execute("DELETE FROM written WHERE id > ?", (last,))
    meta = {"stats": stats, "output": position, "ended": False}
    db.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
        [(key, msgspec.json.encode(value).decode()) for key, value in meta.items()],
    )
    db.execute("COMMIT")
    return requests
