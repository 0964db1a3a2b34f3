"""Golden items: what a spider must give for pages that were recorded, and whether it still does."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from scrapekit.errors import ArchiveError
from scrapekit.pipelines import FilesPipeline
from scrapekit.project.comparison import canonical, compare
from scrapekit.project.crawling import Crawl
from scrapekit.project.report import CrawlReport
from scrapekit.safe import safe_lines
from scrapekit.settings import ArchiveSettings, FleetSettings, Settings
from scrapekit.spider import Spider

FOLDER = "tests/golden"
"""Where they are, from the project's folder."""


class Golden(NamedTuple):
    """The files of one spider: the recorded pages, and the items that they must give.

    Args:
        archive: ``NAME.warc.gz``.
        items: ``NAME.jsonl``.
    """

    archive: Path
    items: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> Golden:
        """The files of that name."""
        return cls(folder / f"{name}.warc.gz", folder / f"{name}.jsonl")

    def check(self, spider: Spider, settings: Settings) -> Checked:
        """Replay the pages, one after the other: of items that ``unique`` holds to be one, always the same is first.

        Raises:
            ConfigError: A file is missing or can't be read, or the spider can't be used.
        """
        if not self.archive.exists():
            raise ArchiveError(
                f"{self.archive} is not there: record it with scrapekit crawl {spider.name} --record {self.archive}"
            )
        gathered = _Gathered()
        archive = ArchiveSettings(replay=str(self.archive))
        chosen = replace(settings, archive=archive, fleet=FleetSettings(), workers=1)
        replayed = copy(spider)
        with TemporaryDirectory(prefix="scrapekit-check-") as aside:
            vars(replayed)["pipelines"] = [_aside(stage, Path(aside)) for stage in spider.pipelines]
            with Crawl(replayed, chosen, audience=gathered) as crawl:
                report = crawl.run()
        return Checked(self, [msgspec.json.decode(line) for line in gathered.lines], report)

    def expected(self) -> list[dict[str, Any]]:
        """The items that were accepted.

        Raises:
            ArchiveError: None were, or the file can't be read.
        """
        try:
            lines = self.items.read_bytes().splitlines()
        except FileNotFoundError as error:
            raise ArchiveError(
                f"{self.items} is not there: look at the items, and accept them with --update"
            ) from error
        except OSError as error:
            raise ArchiveError(f"{self.items}: can't be read: {error.strerror}") from error
        items = []
        for number, line in enumerate(lines, 1):
            try:
                items.append(msgspec.json.decode(line, type=dict[str, Any]))
            except msgspec.DecodeError as error:
                raise ArchiveError(f"{self.items}:{number}: not an item in JSON: {error}") from error
        return items


class Checked(NamedTuple):
    """What came of a replay.

    Args:
        golden: Of these files.
        came: The items.
        report: How it went.
    """

    golden: Golden
    came: list[dict[str, Any]]
    report: CrawlReport

    @property
    def failure(self) -> str | None:
        """Why it can't be accepted; None where it can."""
        return self.report.start_error or (None if self.came else "it gives no items")

    def complaint(self, how_to_accept: str) -> str | None:
        """What is wrong, in lines that are safe to show; None where what came is what was accepted.

        Raises:
            ArchiveError: As :meth:`Golden.expected`.
        """
        lines, failure = [], self.failure
        if failure is None:
            difference = compare(self.golden.expected(), self.came)
            if difference.none:
                return None
            lines = [difference.text()]
            failure = f"{difference.summary}; if that is right: {how_to_accept}"
        errors = self.report.stats.errors.items()
        lines += [f"! {tally.count} {kind}, such as {tally.url} ({tally.message})" for kind, tally in errors]
        return safe_lines("\n".join([*lines, f"{self.report.spider}: {failure}"]))

    def accept(self) -> None:
        """Make what came the golden items, in an order that is always the same.

        Raises:
            ArchiveError: They can't be written.
        """
        path = self.golden.items
        part = path.with_name(f"{path.name}.part")
        try:
            part.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in sorted(self.came, key=canonical)))
            part.replace(path)
        except OSError as error:
            raise ArchiveError(f"{path}: can't be written: {error.strerror}") from error


def _aside(stage: Any, folder: Path) -> Any:
    """A pipeline that leaves the files of the project, and what stands in their manifest, as they are."""
    if isinstance(stage, FilesPipeline):
        stage = copy(stage)
        stage.folder = folder / stage.name
    return stage


class _Gathered:
    """An audience that keeps the items."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def committed(self, lines: Sequence[bytes], kept: Sequence[Any]) -> None:  # noqa: ARG002  (the interface)
        self.lines += lines
