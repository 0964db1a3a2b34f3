"""The files of a crawl: where its items go, and those that were rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

from scrapekit.engine import Frontier
from scrapekit.export import NullSink, Options, Sink, open_output, rejected_beside, resume_output, write_rejected
from scrapekit.settings import Settings


class JobFiles(Protocol):
    """Where a job keeps its state."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def frontier_path(self) -> Path:
        """The database."""
        ...

    @property
    def in_flight_path(self) -> Path:
        """What the workers have."""
        ...

    @property
    def spool_path(self) -> Path:
        """The items, for outputs that are made at the end."""
        ...

    @property
    def rejected_path(self) -> Path:
        """The items that were rejected."""
        ...


class Outputs:
    """What a crawl writes besides its state. A context manager: leaving it closes the output.

    Args:
        frontier: Knows what was committed.
        job: Where the crawl's state is kept; None for a crawl that can't be resumed.
        target: Path of the output, ``-`` for stdout, None for none.
        settings: ``export`` and ``crawl.durability`` say how it is written.
        overwrite: Whether to empty the output first; otherwise it is appended to.
        parents: Whether to make the folders that the output lies in.
        resume: Whether the crawl goes on: the output is cut back to what was committed.

    Raises:
        OutputError, OutputMismatch: The output can't be used.
    """

    def __init__(
        self,
        frontier: Frontier,
        job: JobFiles | None,
        target: str | Path | None,
        settings: Settings,
        *,
        overwrite: bool,
        parents: bool,
        resume: bool,
    ) -> None:
        self._frontier = frontier
        self._job = job
        self._append = not overwrite
        export = settings.export
        fsync, spool = settings.crawl.durability == "power", None if job is None else job.spool_path
        options = Options(export.fields, export.spreadsheet_safe, export.parquet_compression)
        # A job that was killed before its first commit has no position: its output begins as it was asked for.
        committed = frontier.get("output") if resume else None
        self.items: Sink
        """Where items go."""
        if target is None:
            self.items = NullSink()
        elif committed is None:
            self.items = open_output(
                target, overwrite=overwrite, parents=parents, fsync=fsync, spool=spool, options=options
            )
        else:
            whole = frontier.get("ended", False)
            self.items = resume_output(target, committed, whole=whole, fsync=fsync, spool=spool, options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.items.close()

    def write_rejected(self) -> str:
        """Write the items that were rejected in all runs; the path of the file, empty where there is none."""
        job = self._job
        if job is not None:
            path: Path | None = job.rejected_path
        else:
            path = rejected_beside(self.items.name) if self.items.name else None
        append = job is None and self._append
        if path is None or not write_rejected(path, self._frontier.rejected(), append=append):
            return ""
        return str(path)
