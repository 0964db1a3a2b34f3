"""The dashboard on the command line: ``--ui`` and ``--metrics`` of a crawl, and ``scrapekit ui`` for the jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

import click

from scrapekit.cli.interrupts import Interrupts
from scrapekit.cli.log import logging_to
from scrapekit.cli.options import load_settings, override_option, settings_option
from scrapekit.safe import masked

if TYPE_CHECKING:
    from scrapekit.dashboard import Dashboard
    from scrapekit.project import Crawl
    from scrapekit.project.job import Job
    from scrapekit.settings import Settings

logger = logging.getLogger("scrapekit")

_PORT = "8787"


def dashboard_of(settings: Settings) -> AbstractContextManager[Dashboard | None]:
    """What serves the dashboard and the metrics that the settings ask for; None for neither. Raises ConfigError."""
    if settings.ui.listen is None and settings.ui.metrics is None:
        return nullcontext()
    from scrapekit.dashboard import Dashboard

    return Dashboard(settings)


def show_crawl(
    dashboard: Dashboard,
    crawl: Crawl,
    job: Job,
    again: str,
    *,
    drain: Callable[[], None],
    halt: Callable[[], None],
) -> None:
    """Open the dashboard of a crawl that is about to run; ``again`` is the command to go on with it."""
    from scrapekit.dashboard import About, Controls

    record = job.record
    about = About(
        run=f"{job.id} {datetime.now().astimezone().isoformat()}",
        spider=record.spider,
        job=job.id,
        output=masked(", ".join(record.paths)),
        resume=again,
        started=datetime.fromisoformat(record.created).timestamp(),
    )
    engine = crawl.engine
    controls = Controls(engine.pause, engine.unpause, drain, halt)
    for line in dashboard.open(
        about,
        job.path,
        snapshot=lambda: engine.snapshot,
        pool_stats=crawl.pool_stats,
        controls=controls,
        why=_why(Path.cwd()),
    ):
        logger.info("%s", line)


@click.command("ui", short_help="Look at the jobs of this folder in a browser.")
@click.argument("where", metavar="[[HOST:]PORT]", default=_PORT)
@override_option
@settings_option
def ui_command(where: str, overrides: tuple[str, ...], settings_file: str | None) -> int:
    """Show the jobs of this folder in a browser, at http://127.0.0.1:8787/ or where you say, until Ctrl-C: which there
    are, how each stands, its failing and slowest URLs and its last items; also of jobs that run in other processes.
    Nothing can be changed there. To steer a crawl, start it with --ui.

    \b
    scrapekit ui
    scrapekit ui 9000
    """  # noqa: D205, D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.dashboard import Server, Shelf
    from scrapekit.settings.listen import listen_at

    with logging_to(None, logging.WARNING):
        try:
            listen = listen_at(where)
        except ValueError as error:
            raise click.UsageError(f"[HOST:]PORT {error}") from error
        ui = load_settings(settings_file, None, overrides).settings.ui
        server = Server(listen, ui.token, ui.hosts)
        shelf = Shelf(Path.cwd(), _why(Path.cwd()))
        done = Event()
        with closing(shelf), closing(server), Interrupts(done.set, done.set, "broken off"):
            server.start(shelf.page)
            click.echo(f"the jobs of this folder are at {server.url(key=True)} (Ctrl-C ends it)")
            done.wait()
    return 0


def _why(root: Path) -> Callable[[str, str], str]:
    """What ``scrapekit why`` says, one at a time: it reads all of a ledger."""
    from scrapekit.cli.why import why
    from scrapekit.errors import ScrapekitError

    lock = Lock()

    def ask(url: str, job: str) -> str:
        if not lock.acquire(blocking=False):
            return "another look-up is going on: try again when it is done"
        try:
            return "\n".join(why(root, url, job or None)[1])
        except ScrapekitError as error:
            return str(error)
        finally:
            lock.release()

    return ask
