"""The jobs of a project: which there are, which can be resumed, and which write to the same file."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from scrapekit.errors import FrontierError, JobLocked, JobNotFound, OutputError
from scrapekit.export import format_of, is_table, scheme_of
from scrapekit.project.job import Job, Record
from scrapekit.project.joblock import is_locked
from scrapekit.settings import OutputSettings

logger = logging.getLogger("scrapekit")

_LISTED = 5


class Jobs:
    """The jobs of a project. Safe against other processes that make and run jobs at the same time.

    Args:
        root: The project's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / ".scrapekit" / "jobs"
        self._warned: set[str] = set()

    def create(
        self,
        spider: str,
        outputs: Callable[[str], Sequence[OutputSettings]],
        *,
        arguments: Mapping[str, str] | None = None,
        overrides: Sequence[str] = (),
        settings: str | None = None,
        sources: Sequence[str] = (),
    ) -> Job:
        """A new job, locked, with an id like ``quotes-20261120-184501``.

        Args:
            spider: The spider's name.
            outputs: Gives the outputs for the job's id.
            arguments: As for :class:`Record`: the ``-a``.
            overrides: The ``-s``.
            settings: The path of ``--settings``.
            sources: The NAMEs on the command line.

        Raises:
            OutputError: An output is that of a job that has not finished, and would be appended to; when that job was
                resumed, it would cut off what this one has written. (Overwriting it is allowed: see :meth:`replace`.)
                Or two outputs are the same.
            FrontierError: The folder can't be written.
        """
        record = Record(
            spider=spider,
            arguments=dict(arguments or {}),
            overrides=list(overrides),
            settings=settings,
            created=datetime.now(UTC).isoformat(),
            sources=list(sources),
        )
        try:
            job = Job(self._new_folder(spider), record)
        except OSError as error:
            raise FrontierError(f"{self._folder}: no job can be written there: {error.strerror}") from error
        try:
            record.outputs = list(outputs(job.id))
            self._refuse_the_same(record.paths)
            for output in record.outputs:
                if not (output.overwrite or is_table(output.path)):
                    self._refuse_to_append(output.path)
            job.save()
        except BaseException:
            job.discard()
            raise
        return job

    def resume(self, job: str | None, spider: str) -> Job:
        """A job that has not finished, locked.

        Args:
            job: Its id; None for the latest unfinished one of the spider.
            spider: The spider's name.

        Raises:
            JobNotFound: There is no such job, it is another spider's, or nothing is left to do. The message says what
                there is.
            JobLocked: Another process runs it.
        """
        if job is None:
            jobs = self._unfinished(spider)
            if not jobs:
                raise JobNotFound(f"there is nothing to resume: spider {spider!r} has no unfinished job")
            job = jobs[0][0]
        elif job not in self._ids():
            raise JobNotFound(f"there is no job {job!r}{self._there_are(spider)}")
        found = Job(self._folder / job)
        try:
            _check_resumable(found, spider)
        except JobNotFound as error:
            found.close()
            raise JobNotFound(f"{error}{self._there_are(spider)}") from None
        found.record.state = "running"
        return found

    def replace(self, by: Job) -> list[str]:
        """Give up the unfinished jobs one of whose outputs ``by`` has opened: they can't tell their lines from its own.

        Returns:
            Their ids.

        Raises:
            JobLocked: One of them is being run. (Its output is locked too, so ``by`` can't have opened that.)
        """
        claims = (job for path in by.record.exclusive for job in self._claiming(path) if job != by.id)
        replaced = list(dict.fromkeys(claims))
        for job in replaced:
            with Job(self._folder / job) as other:
                other.record.replaced_by = by.id
                other.finish("replaced")
        return replaced

    def all(self) -> list[tuple[str, Record]]:
        """Every job with its record, the latest first; what can't be read as a job is left out, and warned of once."""
        jobs = []
        for job in self._ids():
            try:
                jobs.append((job, Record.read(self._folder / job)))
            except JobNotFound as error:  # damaged, of a newer version, or removed a moment ago: no concern of others
                if str(error) not in self._warned:
                    self._warned.add(str(error))
                    logger.warning("%s", error)
        return sorted(jobs, key=lambda each: each[1].created, reverse=True)

    def folder(self, job: str) -> Path:
        """Where a job's state lies. Raises JobNotFound, with the jobs that there are, if there is no such job."""
        known = self._ids()
        if job in known:
            return self._folder / job
        from difflib import get_close_matches  # noqa: PLC0415  (for a typing mistake only)

        if not known:
            raise JobNotFound(f"there is no job {job!r}: no job has been run in {self._root}")
        near = get_close_matches(job, known, 1, 0.8)
        listed = ", ".join([each for each, _ in self.all()][:_LISTED])
        raise JobNotFound(
            f"there is no job {job!r}; " + (f"did you mean {near[0]}?" if near else f"there are: {listed}")
        )

    def open(self, job: str) -> Job:
        """A job in whatever state, locked.

        Raises:
            JobNotFound: There is no such job.
            JobLocked: Another process runs it.
        """
        return Job(self.folder(job))

    def state(self, job: str, record: Record) -> str:
        """How it stands: as its record says, but ``killed`` where that says ``running`` and no process does."""
        if is_locked(self._folder / job / "lock"):
            return "running"
        return "killed" if record.state == "running" else record.state

    def remove(self, job: str) -> None:
        """Remove a job's state, not its output; also one that can't be read.

        Raises:
            JobNotFound: There is no such job.
            JobLocked: A process runs it.
            FrontierError: It can't be removed.
        """
        found = Job(self.folder(job), Record(spider=""))
        try:
            found.discard()
        except OSError as error:
            raise FrontierError(f"{found.path}: can't be removed: {error.strerror}") from error

    def newer_writers(self, job: Job) -> list[str]:
        """Jobs that were started later than this one, and have written to one of its outputs."""
        own = self._resolved(job.record.paths)
        return [
            other
            for other, record in self.all()
            if record.created > job.record.created and own & self._resolved(record.exclusive)
        ]

    def _resolved(self, paths: Sequence[str]) -> set[str]:
        return {os.path.realpath(self._root / path) for path in paths if path != "-"}

    def _refuse_the_same(self, paths: Sequence[str]) -> None:
        for number, path in enumerate(paths):
            if path in paths[:number] or (path != "-" and self._resolved([path]) & self._resolved(paths[:number])):
                raise OutputError(f"{path}: two outputs can't be the same file")

    def _new_folder(self, spider: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        ignore = self._folder.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
        safe = re.sub(r"[^\w.-]", "_", spider.replace(", ", "-")).lstrip(".")[:50]  # a file name has at most 255 bytes
        stem = f"{safe}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
        number = 1
        while True:
            folder = self._folder / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                number += 1
            else:
                return folder

    def _refuse_to_append(self, output: str) -> None:
        for job in self._claiming(output):
            try:
                with Job(self._folder / job) as other:  # whose folder nobody must delete while it runs
                    record = other.record
            except JobLocked as error:
                raise OutputError(f"{output}: another crawl is writing to this output: {error}") from error
            # It may have finished just now. One that its own limits stopped has done what it was asked for.
            if record.resumable and record.state != "stopped":
                raise OutputError(
                    f"{output} is the output of job {job}, which broke off: go on with it (scrapekit crawl "
                    f"{' '.join(record.names)} --resume {job}), overwrite the file with -O, or give that job up "
                    f"(scrapekit jobs rm {job})"
                )

    def _claiming(self, output: str) -> Iterator[str]:
        """Unfinished jobs that write to this file."""
        path = self._root / output
        # Then the file need not be there yet.
        at_the_end = bool(scheme_of(output)) or format_of(path) is not None or "{item}" in output or "{part}" in output
        if output != "-" and (at_the_end or path.is_file()):
            for job, record in self._unfinished():
                if any(
                    os.path.realpath(theirs) == os.path.realpath(path)
                    if at_the_end
                    else theirs.exists() and theirs.samefile(path)
                    for theirs in (self._root / each for each in record.paths if each != "-")
                ):
                    yield job

    def _ids(self) -> list[str]:
        return [path.parent.name for path in self._folder.glob("*/job.json")]

    def _unfinished(self, spider: str | None = None) -> list[tuple[str, Record]]:
        """Jobs that can be resumed, the latest first."""
        return [(job, record) for job, record in self.all() if spider in {None, record.spider} and record.resumable]

    def _there_are(self, spider: str) -> str:
        jobs = [job for job, _ in self._unfinished(spider)]
        if not jobs:
            return f"; spider {spider!r} has no unfinished job"
        more = f" and {len(jobs) - _LISTED} more" if len(jobs) > _LISTED else ""
        return f"; unfinished jobs of spider {spider!r}: {', '.join(jobs[:_LISTED])}{more}"


def _check_resumable(job: Job, spider: str) -> None:
    record = job.record
    if record.spider != spider:
        raise JobNotFound(f"job {job.id} is of spider {record.spider!r}, not {spider!r}")
    if not record.resumable:
        why = f"job {record.replaced_by} has taken over its output" if record.replaced_by else "it has finished"
        raise JobNotFound(f"job {job.id} can't be resumed: {why}")
