"""One job: what a crawl was asked to do and where its state lies, so that another process can go on with it.

A job is a folder, ``.scrapekit/jobs/JOB/``: ``job.json`` (the :class:`Record`, always replaced as a whole), ``lock``,
the engine's ``frontier.sqlite`` and ``in_flight``, ``items.jsonl`` where the output is made of it at the end, and
``rejected.jsonl`` where items were rejected. Only its owner may read it: arguments may be passwords.
"""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

import msgspec
from msgspec import Struct, field

from scrapekit.errors import FrontierError, JobNotFound
from scrapekit.export import is_table
from scrapekit.project.joblock import JobLock
from scrapekit.project.naming import file_name
from scrapekit.settings import OutputSettings

State = Literal["running", "interrupted", "failed", "stopped", "finished", "replaced"]


class Record(Struct, kw_only=True):
    """``job.json``: all that ``--resume`` needs to know.

    Args:
        spider: The spider's name; of several, all their names, in order of the alphabet.
        arguments: The ``-a``.
        overrides: The ``-s``, and what other options stand for, as ``key.path=value``; later ones win.
        settings: The path of ``--settings``; None for the project's own settings.yaml.
        outputs: At least one; the path of each is that of the settings with ``{job}`` and the like filled in, or ``-``.
        created: When, in UTC, as ISO 8601.
        state: ``finished`` when nothing is left to do; ``stopped`` by its own limits; ``interrupted`` or ``failed``;
            ``running`` also of a process that was killed; ``replaced`` when another job has taken over its output.
        replaced_by: That job.
        sources: The NAMEs that ``scrapekit crawl`` was given, which may be files; none where an older version wrote it.
        source: What an older version wrote instead.
    """

    spider: str
    arguments: dict[str, str] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    settings: str | None = None
    outputs: list[OutputSettings] = field(default_factory=list)
    created: str = ""
    state: State = "running"
    replaced_by: str = ""
    source: str = ""
    sources: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The record of the job in ``folder``. Raises JobNotFound if it can't be read."""
        path = folder / "job.json"
        try:
            record = msgspec.json.decode(path.read_bytes(), type=cls)
            if record.created:
                datetime.fromisoformat(record.created)
        except (OSError, msgspec.DecodeError, ValueError) as error:
            raise JobNotFound(f"{path}: can't be read as a job: {error}") from error
        if not record.outputs:
            raise JobNotFound(f"{path}: names no output: it was written by another version of scrapekit")
        return record

    @property
    def paths(self) -> list[str]:
        """Those of the outputs, as they are shown; the names of some files are not known before their items come."""
        return [file_name(output.path) for output in self.outputs]

    @property
    def names(self) -> list[str]:
        """What to call for with ``scrapekit crawl``."""
        return self.sources or [self.source or self.spider]

    @property
    def exclusive(self) -> list[str]:
        """Those that no other job may have written to since: all but tables that were not emptied."""
        return [output.path for output in self.outputs if output.overwrite or not is_table(output.path)]

    @property
    def resumable(self) -> bool:
        """Whether something is left to do, and its output is still its own."""
        return self.state not in {"finished", "replaced"}


class Job:
    """A job that this process holds the lock of, until it is closed. Made by :class:`Jobs`; for one thread.

    Args:
        path: Its folder.

    Raises:
        JobLocked: Another process runs it.
        JobNotFound: There is no readable ``job.json``.
    """

    def __init__(self, path: Path, record: Record | None = None) -> None:
        self.id = path.name
        self.path = path
        self.frontier_path = path / "frontier.sqlite"
        self.in_flight_path = path / "in_flight"
        self.spool_path = path / "items.jsonl"
        self.rejected_path = path / "rejected.jsonl"
        self._lock = JobLock(path / "lock", self.id)
        try:
            # Only now, under the lock: the process that had it before may have finished the job meanwhile.
            self.record = record or Record.read(path)
        except BaseException:
            self._lock.close()
            raise

    def save(self) -> None:
        """Make :attr:`record` durable. Raises FrontierError if it can't be written."""
        whole = self.path / "job.json.new"
        try:
            with whole.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(self.record), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            whole.replace(self.path / "job.json")
        except OSError as error:
            raise FrontierError(f"{whole}: can't be written: {error.strerror}") from error

    def finish(self, state: State) -> None:
        """Write down how it ended."""
        self.record.state = state
        self.save()

    def discard(self) -> None:
        """Remove all of it."""
        self.close()
        shutil.rmtree(self.path)

    def close(self) -> None:
        """Let others resume it. Idempotent."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
