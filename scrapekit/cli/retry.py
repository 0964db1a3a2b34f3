"""``scrapekit retry``: try again what has failed for good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from scrapekit.cli.crawl import crawl
from scrapekit.cli.live import print_line
from scrapekit.cli.order import Order


@click.command("retry", short_help="Try again what has failed for good, and go on with the job.")
@click.argument("job")
@click.option(
    "--status", "statuses", multiple=True, type=click.IntRange(100, 599), metavar="CODE", help="Only those with CODE."
)
@click.option(
    "--error",
    "errors",
    multiple=True,
    metavar="NAME",
    help="Only those with this error, such as ConnectError, or one that is a kind of it, as of DownloadError.",
)
@click.option("--no-run", is_flag=True, help="Only put them back into the queue: --resume goes on.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say more, with tracebacks; the opposite of -q.")
@click.pass_obj
def retry_command(
    session: dict[str, Any],
    /,
    job: str,
    statuses: tuple[int, ...],
    errors: tuple[str, ...],
    *,
    no_run: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Put the requests of JOB that failed for good back into its queue, with all their attempts, and go on with it,
    also if it had finished: what they yield follows what is in its output. Quarantined requests are left alone, unless
    --error Quarantined asks for them.

    Exit codes are those of scrapekit crawl; 2 if there is nothing to retry.

    \b
    scrapekit retry books-20261120-184501
    scrapekit retry books-20261120-184501 --status 503 --status 429
    scrapekit retry books-20261120-184501 --error ConnectError --no-run
    """  # noqa: D205, D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.project.jobs import Jobs
    from scrapekit.project.retrying import requeue
    from scrapekit.project.spiders import load_spider

    session["verbose"] = verbose
    root = Path.cwd()
    jobs = Jobs(root)
    with jobs.open(job) as held:
        names = held.record.names
        for name in () if no_run else names:
            load_spider(name, root)  # before anything is changed
        count = requeue(jobs, held, statuses=statuses, errors=errors)
    order = Order(tuple(names), resume=job, quiet=quiet, verbose=verbose)
    if not quiet:
        print_line(f"{count:,} request{'s'[: count != 1]} of job {job} will be tried again")
    if no_run:
        print_line(f"to go on: {order.resume_command(held)}")
        return 0
    order.check()
    return crawl(order, session)
