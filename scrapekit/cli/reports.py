"""``--report FILE``: how a job ended, as JSON or as a page, in files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scrapekit.errors import ExportError, OutputError

if TYPE_CHECKING:
    from scrapekit.project import CrawlReport
    from scrapekit.project.job import Record

_KINDS = (".json", ".html")


class Reports:
    """The files that were asked for. Made before a crawl begins, to find out then what can't be written.

    Args:
        paths: Their paths; the ending says what each is: ``.json`` or ``.html``.

    Raises:
        OutputError: One has another ending, or can't be written.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = [Path(path) for path in paths]
        """Where they go."""
        for path in self.paths:
            if path.suffix.lower() not in _KINDS:
                raise OutputError(f"--report {path}: must end in .json or .html, which says what it will be")
            if path.is_dir():
                raise OutputError(f"--report {path}: is a folder")
            if not path.parent.exists():
                raise OutputError(f"--report {path}: there is no folder {path.parent}: make it first")
            try:
                _part(path).write_bytes(b"")
                _part(path).unlink()
            except OSError as error:
                raise OutputError(f"--report {path}: can't be written: {error.strerror}") from error

    def write(
        self,
        folder: Path,
        record: Record,
        state: str,
        *,
        report: CrawlReport | None = None,
        failure: str | None = None,
    ) -> None:
        """Write them, each as a whole.

        Args:
            folder: The job's.
            record: Its ``job.json``.
            state: How it stands.
            report: Of its last run, where that has just ended.
            failure: What ended it, where there is no report.

        Raises:
            ExportError: One can't be written; those before it are.
        """
        if not self.paths:
            return
        import msgspec

        from scrapekit.cli.page_report import page_of
        from scrapekit.project.summary import summarise

        summary = summarise(folder, record, state, report=report, failure=failure)
        for path in self.paths:
            if path.suffix.lower() == ".json":
                written = msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"
            else:
                written = page_of(summary).encode()
            part = _part(path)
            try:
                part.write_bytes(written)
                part.replace(path)
            except OSError as error:
                raise ExportError(f"--report {path}: can't be written: {error.strerror}") from error
            finally:
                part.unlink(missing_ok=True)  # after a Ctrl-C too


def _part(path: Path) -> Path:
    """Where it is written, beside its own place, until it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")
