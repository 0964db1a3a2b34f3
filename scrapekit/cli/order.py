"""What ``scrapekit crawl`` was asked for."""

from __future__ import annotations

import logging
import shlex
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from scrapekit.project.job import Job
    from scrapekit.settings import ExportSettings, OutputSettings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Order(NamedTuple):
    """The command line as it was given."""

    names: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    append: tuple[str, ...] = ()
    overwrite: tuple[str, ...] = ()
    workers: str | None = None
    max_pages: str | None = None
    fleet: str | None = None
    record: str | None = None
    replay: str | None = None
    ui: str | None = None
    metrics: str | None = None
    resume: str | None = None
    settings_file: str | None = None
    reports: tuple[str, ...] = ()
    log_file: str | None = None
    log_json: bool = False
    quiet: bool = False
    verbose: bool = False

    def check(self) -> None:
        """Raise click.UsageError for options that exclude each other, and for what ``job.json`` can't hold."""
        if "" in {self.record, self.replay, self.log_file}:
            raise click.UsageError("--record, --replay and --log-file need the name of a FILE")
        if self.record is not None and self.replay is not None:
            raise click.UsageError("--record and --replay exclude each other")
        if self.quiet and self.verbose:
            raise click.UsageError("-q and -v exclude each other")
        for word in (*self.arguments, *self.settings, *self.append, *self.overwrite, self.settings_file):
            if word is not None and not _is_unicode(word):
                raise click.UsageError(f"{word!r} is not UTF-8, and can't be written down for --resume")
        if self.resume is not None and (self.arguments or self.append or self.overwrite):
            raise click.UsageError(
                "--resume goes on with the job's own arguments and output: leave out -a, -o and -O, "
                "or start a new crawl without --resume"
            )

    def outputs(self, export: ExportSettings) -> list[OutputSettings]:
        """Where items are to go: to each FILE of ``-o`` and ``-O``, or where the settings say."""
        asked = [export.to(file, overwrite=False) for file in self.append]
        asked += [export.to(file, overwrite=True) for file in self.overwrite]
        return asked or list(export.outputs) or [export.to(export.path)]

    @property
    def settings(self) -> list[str]:
        """The ``-s``, then all that is short for one."""
        short = {
            "workers": self.workers,
            "crawl.max_pages": self.max_pages,
            "fleet.kind": self.fleet,
            "archive.record": self.record,
            "archive.replay": self.replay,
            "ui.listen": self.ui,
            "ui.metrics": self.metrics,
            "log.file": self.log_file,
            "log.json": "true" if self.log_json else None,
        }
        return [*self.overrides, *(f"{key}={value}" for key, value in short.items() if value is not None)]

    def level(self, configured: str) -> int:
        """From which level up log records are shown."""
        level = _LEVELS[configured]
        return logging.DEBUG if self.verbose else max(level, logging.WARNING) if self.quiet else level

    def file_level(self, configured: str) -> int:
        """From which level up they are written to a log file: ``-q`` is about the terminal."""
        return logging.DEBUG if self.verbose else _LEVELS[configured]

    def resume_command(self, job: Job) -> str:
        """What to type to go on with the job."""
        return shlex.join(["scrapekit", "crawl", *self.names, "--resume", job.id])


def _is_unicode(word: str) -> bool:
    """Whether it is text: Python stands lone surrogates for bytes that are none (PEP 383)."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
