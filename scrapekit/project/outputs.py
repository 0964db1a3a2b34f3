"""The files of a crawl: where its items go, and those that were rejected."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol, Self

from msgspec.structs import replace

from scrapekit.engine import Frontier
from scrapekit.errors import OutputMismatch
from scrapekit.export import (
    Filter,
    Limits,
    Options,
    Sink,
    Tee,
    check_kinds,
    committed_of,
    is_routed,
    is_table,
    open_output,
    rejected_beside,
    resume_output,
    write_rejected,
)
from scrapekit.project.naming import example_name, file_name, filters_of
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
        filters = filters_of(outputs)
        # A job that was killed before its first commit has no position: its outputs begin as they were asked for.
        position = frontier.get("output") if resume else None
        committed = {} if position is None else committed_of(position)
        begun = {(number, "") for number, each in enumerate(filters) if not each.by_kind}
        if position is not None and begun != {key for key in committed if not key[1]}:
            raise OutputMismatch("the outputs of this job are not those that it has written to: start a new crawl")
        if position is None:
            self._check_kinds(filters)
        whole = frontier.get("ended", False)
        with ExitStack() as opened:
            sinks: dict[tuple[int, str], Sink] = {}
            for number, kind in sorted(begun | committed.keys()):
                known = committed.get((number, kind))
                sink = (
                    self._open(number, kind)
                    if known is None
                    else self._resume(number, kind, known.position, whole=whole)
                )
                sinks[number, kind] = opened.enter_context(closing(sink))
            opened.pop_all()
        self.items = Tee(
            sinks,
            routed=is_routed(filters),
            opened=self._open_kind,
            before=committed,
        )
        """Where items go."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.items.close()

    def _open(self, number: int, kind: str, *, overwrite: bool = False) -> Sink:
        output = self._outputs[number]
        return open_output(
            file_name(output.path, kind),
            overwrite=overwrite or output.overwrite,
            parents=self._parents or "{item}" in output.path.rpartition("/")[0],
            fsync=self._fsync,
            spool=self._spool(number, kind),
            options=_options(output),
            parts=limits_of(output),
        )

    def _resume(self, number: int, kind: str, position: Mapping[str, Any], *, whole: bool) -> Sink:
        output = self._outputs[number]
        return resume_output(
            file_name(output.path, kind),
            position,
            whole=whole,
            fsync=self._fsync,
            spool=self._spool(number, kind),
            options=_options(output),
            parts=limits_of(output),
        )

    def _spool(self, number: int, kind: str) -> Path | None:
        return None if self._job is None else spool_of(self._job.spool_path, number, kind)

    def _open_kind(self, number: int, kind: str) -> Sink:
        """The file of a kind of items that has come for the first time: what is in it is not committed."""
        # A table knows which rows are, and whose.
        return self._open(number, kind, overwrite=not is_table(self._outputs[number].path))

    def _check_kinds(self, filters: Sequence[Filter]) -> None:
        for output, each in zip(self._outputs, filters, strict=True):
            if each.by_kind:
                check_kinds(
                    example_name(output.path),
                    file_name(glob.escape(output.path), "*"),
                    overwrite=output.overwrite,
                    parents=self._parents,
                    parts=limits_of(output),
                )

    def write_rejected(self) -> str:
        """Write the items that were rejected in all runs; the path of the file, empty where there is none."""
        places = (
            [(self._job.rejected_path, False)]
            if self._job is not None
            else [(rejected_beside(file_name(each.path, "items", "1")), not each.overwrite) for each in self._outputs]
        )
        for path, append in places:
            if path is not None:
                return str(path) if write_rejected(path, self._frontier.rejected(), append=append) else ""
        return ""


def formed_as(
    export: ExportSettings, overrides: Sequence[str], outputs: Sequence[OutputSettings]
) -> list[OutputSettings]:
    """The ``outputs`` of a job that goes on, each in the format that ``overrides``, the ``-s`` beside it, ask for."""
    changed = [key for key in _FORMAT_KEYS if any(each.startswith(f"export.{key}=") for each in overrides)]
    return [replace(output, **{key: getattr(export, key) for key in changed}) for output in outputs]


def limits_of(output: OutputSettings) -> Limits:
    """When a part of it is full."""
    return Limits(output.parts.items, output.parts.size)


def _options(output: OutputSettings) -> Options:
    return Options(output.fields, output.spreadsheet_safe, output.parquet_compression, output.max_outage)


def spool_of(first: Path, number: int, kind: str = "") -> Path:
    """Where lines lie until the file of output ``number`` (from 0) is made: ``items.jsonl``, ``items-2.jsonl``, ..."""
    tail = (f"-{number + 1}" if number else "") + (f"-{kind}" if kind else "")
    return first.with_name(f"{first.stem}{tail}{first.suffix}")
