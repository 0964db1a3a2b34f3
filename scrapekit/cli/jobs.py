"""``scrapekit jobs``: which jobs there are, how each stands, and removing them."""

from __future__ import annotations

import logging
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scrapekit.cli.log import logging_to
from scrapekit.cli.words import File
from scrapekit.safe import safe

if TYPE_CHECKING:
    from scrapekit.project.job import Record
    from scrapekit.project.jobs import Jobs

_TITLES = ("job", "spider", "state", "started", "done", "pending", "failed", "output")
_OPEN = ("pending", "leased")
_LOST = ("failed", "quarantined")


@click.group("jobs", short_help="List the jobs, look into one, repair or remove some.", invoke_without_command=True)
@click.pass_context
def jobs_command(ctx: click.Context) -> None:
    """List the jobs of this folder, the latest first: spider, state, when it was started, how many requests are done,
    still pending and failed for good, and the output.

    The state is running, finished, stopped (by its own limits), interrupted, failed, killed, or replaced (another job
    has taken over its output). All but finished and replaced can be resumed. Also works while jobs run.

    \b
    scrapekit jobs
    scrapekit jobs show
    scrapekit jobs rm books-20261120-184501
    scrapekit jobs rm --finished --older-than 30
    scrapekit jobs repair books-20261120-184501
    """  # noqa: D205, D301  (\b is click's: it leaves these lines as they are)
    ctx.with_resource(logging_to(None, logging.WARNING))
    if ctx.invoked_subcommand is None:
        _list()


@jobs_command.command("show")
@click.argument("job", required=False)
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=File(),
    help="Write all that is known of it to FILE, a .json or an .html; may be given several times.",
)
def show_command(job: str | None, reports: tuple[str, ...]) -> None:
    """Show how JOB stands, without JOB the latest one: its requests by state, what failed, and how to go on."""
    from scrapekit.cli.reports import Reports
    from scrapekit.project.apart import check_apart
    from scrapekit.project.job import Record
    from scrapekit.project.ledger import Ledger

    jobs = _jobs()
    job = job or _latest(jobs)
    folder = jobs.folder(job)
    record = Record.read(folder)
    state = jobs.state(job, record)
    files = Reports(reports)
    check_apart({"items": record.paths, "a report": files.paths})
    files.write(folder, record, state)
    with Ledger(folder) as ledger:
        counts, failures = ledger.counts(), ledger.failures()
    size = sum(path.stat().st_size for path in folder.iterdir())
    lines = [
        ("job", job),
        ("spider", record.spider),
        ("state", state + (f" by job {record.replaced_by}" if record.replaced_by else "")),
        ("started", _when(record)),
        ("arguments", ", ".join(record.arguments)),  # without the values, which may be passwords
        *((("output" if at == 0 else "", path) for at, path in enumerate(record.paths))),
        ("requests", ", ".join(f"{counts[name]:,} {name}" for name in counts) or "none"),
        ("errors", ", ".join(f"{count:,} {kind}" for kind, count in failures.items())),
        ("folder", f"{folder}, {size:,} bytes"),
    ]
    name = shlex.join(record.names)
    if state not in {"running", "finished", "replaced"}:
        lines.append(("to go on", f"scrapekit crawl {name} --resume {job}"))
    if failures and state not in {"running", "replaced"}:
        lines.append(("to retry", f"scrapekit retry {job}"))
    for title, text in lines:
        if text:
            click.echo(f"{title:10} {safe(text)}")


@jobs_command.command("rm")
@click.argument("names", metavar="[JOB]...", nargs=-1)
@click.option("--finished", is_flag=True, help="All that have finished, or whose output another job has taken over.")
@click.option("--older-than", type=click.IntRange(0), metavar="DAYS", help="Of these, only what was started before.")
def rm_command(names: tuple[str, ...], *, finished: bool, older_than: int | None) -> None:
    """Remove what is kept of each JOB: it can't be resumed, retried or asked about any more. Its output stays, but for
    a .csv, .json or .xml whose job has not finished: that is not made yet. A job that runs is not removed.
    """  # noqa: D205
    jobs = _jobs()
    if not finished:
        if not names:
            raise click.UsageError("say which JOB, or --finished")
        if older_than is not None:
            raise click.UsageError("--older-than goes with --finished")
    for job in names:
        jobs.folder(job)  # all are there, or none is removed
    chosen = list(names)
    if finished:
        before = datetime.now(UTC) - timedelta(days=older_than or 0)
        for job, record in jobs.all():
            done = jobs.state(job, record) in {"finished", "replaced"}
            if done and job not in names and datetime.fromisoformat(record.created) <= before:
                chosen.append(job)
    for job in chosen:
        jobs.remove(job)
        click.echo(f"removed {safe(job)}")


@jobs_command.command("repair")
@click.argument("job")
def repair_command(job: str) -> None:
    """Find out which items of JOB its output does not hold any more as they were written, and requeue their pages.

    Everything from the first change on is fetched and written again when the job is resumed. The output is not touched
    before that.
    """
    from scrapekit.project.repairing import repair

    with _jobs().open(job) as opened:
        done = repair(opened, Path.cwd())
        name = shlex.join(opened.record.names)
    if not done.lines:
        click.echo(f"nothing is missing: {safe(done.output)} holds all that job {job} has written")
        return
    click.echo(
        f"{done.lines:,} items are gone from {safe(done.output)}, or stand behind the first change, at byte "
        f"{done.kept:,}: {done.requests:,} requests are queued again"
    )
    click.echo(f"to go on: scrapekit crawl {safe(name)} --resume {job}")


def _list() -> None:
    from scrapekit.errors import FrontierError
    from scrapekit.project.ledger import Ledger

    jobs = _jobs()
    rows: list[tuple[str, ...]] = []
    for job, record in jobs.all():
        try:
            with Ledger(jobs.folder(job)) as ledger:
                counts = ledger.counts()
            sums = [counts.get("done", 0), *(sum(counts.get(name, 0) for name in names) for names in (_OPEN, _LOST))]
            numbers = [f"{each:,}" for each in sums]
        except FrontierError:  # it is being made or removed at this moment, is damaged, or of another version
            numbers = ["?"] * 3
        rows.append((job, record.spider, jobs.state(job, record), _when(record), *numbers, ", ".join(record.paths)))
    if not rows:
        click.echo("no job has been run in this folder", err=True)
        return
    shown = [_TITLES, *(tuple(map(safe, row)) for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(_TITLES))]
    for row in shown:
        cells = [f"{cell:>{width}}" if 4 <= at <= 6 else f"{cell:{width}}"
                 for at, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        click.echo("  ".join(cells).rstrip())


def _jobs() -> Jobs:
    from scrapekit.project.jobs import Jobs

    return Jobs(Path.cwd())


def _latest(jobs: Jobs) -> str:
    from scrapekit.errors import JobNotFound

    found = jobs.all()
    if not found:
        raise JobNotFound("no job has been run in this folder")
    return found[0][0]


def _when(record: Record) -> str:
    return f"{datetime.fromisoformat(record.created).astimezone():%Y-%m-%d %H:%M:%S}" if record.created else "?"
