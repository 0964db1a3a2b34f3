"""The files of a crawl: where its items go, and those that were rejected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol, Self

from msgspec.structs import replace

from scrapekit.engine import Frontier
from scrapekit.errors import OutputMismatch
from scrapekit.export import (
    Options,
    Sink,
    Tee,
    open_output,
    positions,
    rejected_beside,
    resume_output,
    write_rejected,
)
from scrapekit.settings import ExportSettings, OutputSettings

_FORMAT_KEYS = ("fields", "spreadsheet_safe", "parquet_compression", "max_outage")


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
    """What a crawl writes besides its state. A context manager: leaving it closes the outputs.

    Args:
        frontier: Knows what was committed.
        job: Where the crawl's state is kept; None for a crawl that can't be resumed.
        outputs: Where items go, and how they are written.
        durability: ``power``: what is committed survives the machine.
        parents: Whether to make the folders that the outputs lie in.
        resume: Whether the crawl goes on: the outputs are cut back to what was committed.

    Raises:
        OutputError, OutputMismatch: An output can't be used.
    """

    def __init__(
        self,
        frontier: Frontier,
        job: JobFiles | None,
        outputs: Sequence[OutputSettings],
        *,
        durability: str,
        parents: bool,
        resume: bool,
    ) -> None:
        self._frontier = frontier
        self._job = job
        self._outputs = outputs
        self._fsync = durability == "power"
        self._parents = parents
        # A job that was killed before its first commit has no position: its outputs begin as they were asked for.
        committed = frontier.get("output") if resume else None
        known = [None] * len(outputs) if committed is None else [each for each, _ in positions(committed)]
        if len(known) != len(outputs):
            raise OutputMismatch(f"the job has committed {len(known)} outputs, but its record names {len(outputs)}")
        whole = frontier.get("ended", False)
        with ExitStack() as opened:
            sinks = []
            for number, position in enumerate(known):
                sinks.append(self._open(number) if position is None else self._resume(number, position, whole=whole))
                opened.enter_context(closing(sinks[-1]))
            opened.pop_all()
        self.items = Tee(sinks)
        """Where items go."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.items.close()

    def _open(self, number: int) -> Sink:
        output = self._outputs[number]
        return open_output(
            output.path,
            overwrite=output.overwrite,
            parents=self._parents,
            fsync=self._fsync,
            spool=self._spool(number),
            options=_options(output),
        )

    def _resume(self, number: int, position: Mapping[str, Any], *, whole: bool) -> Sink:
        output = self._outputs[number]
        return resume_output(
            output.path,
            position,
            whole=whole,
            fsync=self._fsync,
            spool=self._spool(number),
            options=_options(output),
        )

    def _spool(self, number: int) -> Path | None:
        return None if self._job is None else spool_of(self._job.spool_path, number)

    def write_rejected(self) -> str:
        """Write the items that were rejected in all runs; the path of the file, empty where there is none."""
        job = self._job
        if job is not None:
            path: Path | None = job.rejected_path
        else:
            path = rejected_beside(self._outputs[0].path) if self._outputs else None
        append = job is None and any(not output.overwrite for output in self._outputs[:1])
        if path is None or not write_rejected(path, self._frontier.rejected(), append=append):
            return ""
        return str(path)


def formed_as(export: ExportSettings, outputs: Sequence[OutputSettings]) -> list[OutputSettings]:
    """The ``outputs`` of a job that goes on, formatted as the settings say now."""
    wanted = export.outputs if len(export.outputs) == len(outputs) else [export] * len(outputs)
    return [
        replace(output, **{key: getattr(now, key) for key in _FORMAT_KEYS})
        for output, now in zip(outputs, wanted, strict=True)
    ]


def _options(output: OutputSettings) -> Options:
    return Options(output.fields, output.spreadsheet_safe, output.parquet_compression, output.max_outage)


def spool_of(first: Path, number: int) -> Path:
    """Where lines lie until the file of output ``number`` (from 0) is made: ``items.jsonl``, ``items-2.jsonl``, ..."""
    return first if number == 0 else first.with_name(f"{first.stem}-{number + 1}{first.suffix}")
