"""Trying again what has failed for good: a job's failures go back into its queue."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from scrapekit.engine import Frontier, Stats
from scrapekit.engine.batch import Batch
from scrapekit.errors import ConfigError, JobNotFound, OutputMismatch, RequestError, request_error
from scrapekit.project.job import Job
from scrapekit.project.jobs import Jobs

_QUARANTINED = "Quarantined"


def requeue(jobs: Jobs, job: Job, *, statuses: Collection[int], errors: Collection[str]) -> int:
    """Let a job that this process holds try its failed requests again; it can be resumed then, finished or not.

    What an errback, or a callback before it raised, has already written stays in the output.

    Args:
        jobs: The jobs of the project.
        job: One of them.
        statuses: Only those that failed with one of these; empty: with any or none.
        errors: Only those with one of these errors, by name, or a subclass of it; empty: all but the quarantined.

    Returns:
        How many they are.

    Raises:
        JobNotFound: Another job has taken over its output, or nothing has failed so.
        OutputMismatch: A newer job has written to its output.
        ConfigError: There is no such error.
        FrontierError: Its state can't be read or written.
    """
    for name in errors:
        _check_error(name)
    _check_output(jobs, job)
    frontier = Frontier(str(job.frontier_path))
    try:
        failures = frontier.failures()
        chosen = [
            (kind, status, count) for kind, status, count in failures if _is_meant(kind, status, statuses, errors)
        ]
        if not chosen:
            raise JobNotFound(f"job {job.id}: {_nothing(failures)}")
        if job.record.state == "finished":
            # Before the commit: a job that can be resumed and has nothing left ends at once, the other way round what
            # is left could not be reached.
            job.finish("interrupted")
        stats = msgspec.convert(frontier.get("stats", {}), Stats, strict=False)
        batch = Batch()
        batch.meta["stats"] = stats
        for kind, _, count in chosen:
            stats.reopen(kind, count, quarantined=kind == _QUARANTINED)
        with frontier.commit(batch):
            for kind, status, _ in chosen:
                frontier.requeue(kind, status)
    finally:
        frontier.close()
    return sum(count for *_, count in chosen)


def _check_error(name: str) -> None:
    from difflib import get_close_matches  # noqa: PLC0415  (for a typing mistake only)

    if request_error(name) is not RequestError or name == RequestError.__name__:
        return
    known = sorted(each.__name__ for each in _subclasses(RequestError))
    near = get_close_matches(name, known, 1)
    raise ConfigError(
        f"there is no error {name!r}" + (f": did you mean {near[0]}?" if near else f"; {', '.join(known)}")
    )


def _subclasses(of: type[RequestError]) -> set[type[RequestError]]:
    return {of}.union(*(_subclasses(each) for each in of.__subclasses__()))


def _check_output(jobs: Jobs, job: Job) -> None:
    if job.record.replaced_by:
        raise JobNotFound(f"job {job.id} can't go on: job {job.record.replaced_by} has taken over its output")
    if newer := jobs.newer_writers(job):
        raise OutputMismatch(
            f"{', '.join(job.record.paths)}: job {newer[0]} has written there since: job {job.id} can't go on with it"
        )


def _is_meant(kind: str, status: int | None, statuses: Collection[int], errors: Collection[str]) -> bool:
    name = kind.partition(" ")[0]
    if statuses and status not in statuses:
        return False
    if errors:
        return any(issubclass(request_error(name), request_error(each)) for each in errors)
    return name != _QUARANTINED


def _nothing(failures: list[tuple[str, int | None, int]]) -> str:
    counts: dict[str, int] = {}
    for kind, _, count in failures:
        counts[kind] = counts.get(kind, 0) + count
    if not counts:
        return "no request has failed"
    return "no request has failed so; there are: " + ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
