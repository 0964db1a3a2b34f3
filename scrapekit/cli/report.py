"""The text report at the end of a crawl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scrapekit.safe import safe

if TYPE_CHECKING:
    from scrapekit.engine import Tally
    from scrapekit.project import CrawlReport
    from scrapekit.project.report import Share

_SHOWN = 10  # of each kind of thing
_ENDS = {
    "finished": "finished",
    "interrupted": "interrupted",
    "max_pages": "stopped at crawl.max_pages",
    "max_items": "stopped at crawl.max_items",
}


def report_text(report: CrawlReport) -> str:
    """How the crawl went, as lines of plain text that are safe to show. Pure.

    Counts are of all runs of the job; connections of this run alone.
    """
    stats = report.stats
    ended = _ENDS.get(report.reason) or f"stopped: {safe(report.stopped_by or report.reason)}"
    rate = stats.pages / stats.elapsed if stats.elapsed > 0 else 0.0
    this_run = f", {report.elapsed:,.1f} s of them in this run" if stats.elapsed - report.elapsed > 0.1 else ""
    lines = [
        f"{report.spider} {'failed' if report.failure else ended}",
        _line("pages", f"{stats.pages:,} in {stats.elapsed:,.1f} s ({rate:,.1f} a second){this_run}"),
        _line("items", f"{stats.items:,}"),
        _line("bytes", f"{stats.bytes:,}"),
        *(_spiders(report.spiders) if len(report.spiders) > 1 else []),
        _line("requests", ", ".join(_requests(report))),
        *_counts("statuses", {str(status): count for status, count in sorted(stats.statuses.items())}),
        *_tallies("errors", stats.errors),
        *_tallies("item errors", stats.item_errors),
        *_tallies("skipped", stats.skipped),
        *_counts("dropped", {safe(reason): count for reason, count in stats.dropped.items()}),
        *_counts("flags", {safe(flag): count for flag, count in stats.flags.items()}),
        *_listed("quarantined", [safe(url) for url in report.quarantined]),
        _line("workers", _workers(report)),
        _line("connections", f"{report.pool.opened:,} opened, reused {report.pool.reused:,} times"),
        *_listed("output", [_output(path, report) for path in report.outputs]),
        *([_line("rejected", safe(report.rejected))] if report.rejected else []),
        *([_line("job", report.job)] if report.job else []),
        *([_line("left", f"{report.pending:,} request{'s'[: report.pending != 1]}")] if report.pending else []),
    ]
    return "\n".join(lines)


def _spiders(shares: Mapping[str, Share]) -> list[str]:
    """A table: what each of several has come to."""
    rows = [("", "pages", "items", "failed")]
    rows += [
        (safe(name), f"{share.pages:,}", f"{share.items:,}", f"{share.failed:,}") for name, share in shares.items()
    ]
    name, *numbers = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([f"{row[0]:{name}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], numbers, strict=True))])
        for row in rows
    ]
    ends = ["", *(f"  stopped: {safe(share.stopped)}" if share.stopped else "" for share in shares.values())]
    return [_line("" if at else "spiders", line + end) for at, (line, end) in enumerate(zip(lines, ends, strict=True))]


def _requests(report: CrawlReport) -> Iterator[str]:
    stats = report.stats
    yield f"{stats.requests:,} sent"
    for count, one, several in (
        (stats.retries, "retry", "retries"),
        (stats.redirects, "redirect", "redirects"),
        (stats.failed, "failed for good", "failed for good"),
        (stats.quarantined, "quarantined", "quarantined"),
        (stats.duplicates, "duplicate left out", "duplicates left out"),
    ):
        if count:
            yield f"{count:,} {one if count == 1 else several}"


def _workers(report: CrawlReport) -> str:
    deaths = report.stats.deaths
    died = f"; {deaths:,} {'process' if deaths == 1 else 'processes'} died" if deaths else ""
    return f"{report.workers:,} at once{died}"


def _output(path: str, report: CrawlReport) -> str:
    from scrapekit.export.formats import format_of

    written = report.written.get(path)
    count = "" if written is None else f", {written:,} item{'s'[: written != 1]}"
    if path == "-":
        return f"stdout{count}"
    last = "whose last part " if "{part}" in path else "which "
    later = report.reason == "interrupted" and format_of(Path(path)) is not None
    return safe(path) + count + (f", {last}is made when the job has ended" if later else "")


def _tallies(title: str, tallies: Mapping[str, Tally]) -> list[str]:
    most = sorted(tallies.items(), key=lambda each: -each[1].count)
    return _listed(
        title,
        [f"{tally.count:,} {safe(kind)}, such as {safe(f'{tally.url} ({tally.message})')}" for kind, tally in most],
    )


def _counts(title: str, counts: Mapping[str, int]) -> list[str]:
    shown = [f"{what}: {count:,}" for what, count in list(counts.items())[:_SHOWN]]
    more = [f"and {len(counts) - _SHOWN} more"] if len(counts) > _SHOWN else []
    return [_line(title, ", ".join(shown + more))] if counts else []


def _listed(title: str, values: list[str]) -> list[str]:
    more = [f"and {len(values) - _SHOWN} more"] if len(values) > _SHOWN else []
    shown = values[:_SHOWN] + more
    return [_line(title if value is shown[0] else "", value) for value in shown]


def _line(title: str, value: str) -> str:
    return f"  {title:12} {value}"
