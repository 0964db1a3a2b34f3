"""``scrapekit crawl``: run a spider, or go on with a job."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scrapekit.cli.interrupts import Interrupts
from scrapekit.cli.live import Live, print_line
from scrapekit.cli.options import load_settings, override_option, parse_arguments, settings_option
from scrapekit.cli.order import Order
from scrapekit.cli.page import fix_of
from scrapekit.cli.report import report_text
from scrapekit.cli.reports import Reports
from scrapekit.cli.ui import dashboard_of, show_crawl
from scrapekit.cli.voice import Voice
from scrapekit.cli.words import File, SpiderName
from scrapekit.safe import safe

if TYPE_CHECKING:
    from scrapekit.dashboard import Dashboard
    from scrapekit.project import Crawl, CrawlReport
    from scrapekit.project.job import Job, State
    from scrapekit.project.jobs import Jobs
    from scrapekit.project.lineup import Lineup
    from scrapekit.settings import Loaded, Settings
    from scrapekit.spider import Spider

logger = logging.getLogger("scrapekit")

_LATEST = "latest"
_RAISE = {"max_pages": " --max-pages MORE", "max_items": " -s crawl.max_items=MORE"}  # or it would end at once


@click.command("crawl", short_help="Run a spider, or go on with a job.")
@click.argument("names", type=SpiderName(), metavar="NAME...", nargs=-1, required=True)
@click.option("-a", "arguments", multiple=True, metavar="NAME=VALUE", help="An argument for the spider.")
@override_option
@click.option(
    "-o",
    "append",
    multiple=True,
    type=File(),
    help="Append the items to FILE, or the table of a URL; - is stdout.",
)
@click.option(
    "-O",
    "overwrite",
    multiple=True,
    type=File(),
    help="Write the items to FILE, which is emptied first.",
)
@click.option("--workers", metavar="N", help="Requests in flight, over all hosts; short for -s workers=N.")
@click.option("--max-pages", metavar="N", help="Stop after N pages; short for -s crawl.max_pages=N.")
@click.option(
    "--fleet",
    metavar="FLEET",
    help="Where workers run: threads, processes:N, or ray[:ADDRESS]; short for -s fleet.kind=FLEET.",
)
@click.option(
    "--record",
    type=File(),
    help="Write all that is fetched to FILE, a .warc.gz; short for -s archive.record=FILE.",
)
@click.option(
    "--replay",
    type=File(),
    help="Fetch from FILE, a recording, and not from the network; short for -s archive.replay=FILE.",
)
@click.option(
    "--ui",
    metavar="[HOST:]PORT",
    help="Watch and steer it in a browser, there; port 0 takes a free one; short for -s ui.listen=[HOST:]PORT.",
)
@click.option(
    "--metrics",
    metavar="[HOST:]PORT",
    help="Serve /metrics for Prometheus and /healthz there; short for -s ui.metrics=[HOST:]PORT.",
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value=_LATEST,
    metavar="[JOB]",
    help="Go on with a job of this spider that has not finished; without JOB, with the latest one.",
)
@settings_option
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=File(),
    help="Write how it ended to FILE, a .json or an .html; may be given several times.",
)
@click.option("--log-file", type=File(), help="Append all that is logged to FILE; short for -s log.file=FILE.")
@click.option("--log-json", is_flag=True, help="Log one JSON object a line; short for -s log.json=true.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say more, with tracebacks; the opposite of -q.")
@click.pass_obj
def crawl_command(session: dict[str, Any], /, **given: Any) -> int:
    """Run the spider NAME of the folder spiders/. NAME may also be a file: my_spider.py, or my_spider.py:ClassName.
    Several NAMEs crawl together, under one pool and one politeness.

    Items are written as JSON Lines; without -o and -O, to where the settings under export say. All else that is said
    goes to stderr. The first Ctrl-C lets requests in flight finish, the second stops at once, and either way
    --resume goes on from there, as it does after a crash, with the arguments, settings and output that the job had.
    A -s, --workers, --max-pages, --fleet or --settings that comes with --resume wins over the job's own.

    The exit code is 0 when the crawl has ended as it should, 1 when it failed, 2 when it could not start as it was
    asked for, 130 when it was interrupted.

    \b
    scrapekit crawl quotes
    scrapekit crawl books -O books.jsonl --max-pages 50
    scrapekit crawl docs -a url=https://docs.example.org/ -s throttle.delay=1
    scrapekit crawl my_spider.py -o - | jq .title
    scrapekit crawl quotes books -a books.category=poetry
    scrapekit crawl quotes --resume
    scrapekit crawl quotes --record quotes.warc.gz
    scrapekit crawl quotes --replay quotes.warc.gz -o -
    """  # noqa: D205, D301  (\b is click's: it leaves these lines as they are)
    order = Order(**given)
    session["verbose"] = order.verbose
    session["json"] = order.log_json and order.log_file is None  # until the settings are known
    order.check()
    return crawl(order, session)


class _Told(NamedTuple):
    """Who is told of a crawl besides the terminal: whoever shows errors, the reports, and the dashboard if any."""

    session: dict[str, Any]
    reports: Reports
    board: Dashboard | None


def crawl(order: Order, session: dict[str, Any]) -> int:
    """Do what was asked for; the exit code. Raises what :func:`~scrapekit.cli.main` shows."""
    from scrapekit.fleet.allocator import give_memory_back
    from scrapekit.project.jobs import Jobs
    from scrapekit.project.naming import outputs_of
    from scrapekit.project.outputs import formed_as
    from scrapekit.project.spiders import load_spider

    give_memory_back()
    reports = Reports(order.reports)
    root = Path.cwd()
    classes = [load_spider(name, root) for name in order.names]
    name = ", ".join(sorted(cls.name for cls in classes))
    jobs = Jobs(root)
    if order.resume is not None:
        with jobs.resume(None if order.resume == _LATEST else order.resume, name) as job:
            record = job.record
            record.overrides += order.settings
            record.settings = order.settings_file or record.settings
            loaded = [load_settings(record.settings, cls, record.overrides) for cls in classes]
            lineup, settings = _line_up(classes, record.arguments, loaded)
            record.outputs = formed_as(settings.export, order.settings, record.outputs)
            with dashboard_of(settings) as board:
                return _run(order, lineup, settings, job, jobs, told=_Told(session, reports, board), fresh=False)
    loaded = [load_settings(order.settings_file, cls, order.settings) for cls in classes]
    arguments = parse_arguments(order.arguments)
    lineup, settings = _line_up(classes, arguments, loaded)
    names, now = [cls.name for cls in classes], datetime.now().astimezone()
    with (
        dashboard_of(settings) as board,
        jobs.create(
            name,
            lambda job: outputs_of(order.outputs(settings.export), job=job, spiders=names, now=now),
            arguments=arguments,
            overrides=order.settings,
            settings=order.settings_file,
            sources=order.names,
        ) as job,
    ):
        return _run(order, lineup, settings, job, jobs, told=_Told(session, reports, board), fresh=True)


def _line_up(
    classes: Sequence[type[Spider]], arguments: Mapping[str, str], loaded: Sequence[Loaded]
) -> tuple[Lineup, Settings]:
    """The spiders with their arguments and settings, and the settings that they share."""
    from scrapekit.project.agreement import arguments_for
    from scrapekit.project.lineup import line_up
    from scrapekit.project.spiders import make_spider

    shares = arguments_for(classes, arguments)
    return line_up([make_spider(cls, share) for cls, share in zip(classes, shares, strict=True)], loaded)


def _run(order: Order, lineup: Lineup, settings: Settings, job: Job, jobs: Jobs, *, told: _Told, fresh: bool) -> int:
    from scrapekit.errors import ExportError, FrontierError, OutputError
    from scrapekit.project import Crawl
    from scrapekit.project.apart import check_apart

    again = f"to go on: {order.resume_command(job)}"
    record = job.record
    session, reports, board = told
    voice = Voice(order, settings, job)
    session["json"] = voice.is_json
    opened = False
    try:
        archives = filter(None, [settings.archive.record, settings.archive.replay])
        logs = filter(None, [settings.log.file])
        check_apart({"items": record.paths, "the log": logs, "the archive": archives, "a report": reports.paths})
        if "-" in record.paths and sys.stdout is None:
            raise OutputError("the output is stdout, which is closed")
        with ExitStack() as shown, ExitStack() as stack:
            shown.enter_context(voice.logging())
            running = stack.enter_context(
                Crawl(
                    lineup,
                    settings,
                    job=job,
                    outputs=record.outputs,
                    parents=not (order.append or order.overwrite),
                    resume=not fresh,
                    audience=None if board is None else board.latest,
                )
            )
            opened = True
            if not fresh:
                job.save()
            for other in jobs.replace(job):
                logger.warning(
                    "job %s had not finished, and can't be resumed any more: its output is this job's now", other
                )
            how = "crawling as job" if fresh else "going on with job"
            logger.info("%s %s, to %s", how, job.id, ", ".join(record.paths), extra={"event": "started"})
            engine = running.engine
            # On `shown`, so that signals are taken and messages are shown while the crawl is being closed, too.
            live = shown.enter_context(voice.live(lambda: engine.snapshot))
            drain, halt = _endings(live, running)
            shown.enter_context(Interrupts(drain, halt, again))
            if board is not None:
                show_crawl(board, running, job, order.resume_command(job), drain=drain, halt=halt)
                for url in () if voice.is_json else board.keys:
                    print_line(f"open {url}")  # and no log: it may be read by others, and lasts
            with voice.log_failure():
                report = running.run()
            voice.log_end(report, again + _RAISE.get(report.reason, "") if _is_unfinished(report) else "")
            if board is not None:
                board.end(_state(report), report.failure or "")
    except BaseException as error:
        if board is not None:
            board.end("failed", str(error))
        if opened:
            with suppress(FrontierError):  # on a full disk it stays "running", which can be resumed as well
                job.finish("failed")
            error.add_note(again)
            with suppress(ExportError):  # what ended the crawl is what must be told
                reports.write(job.path, record, "failed", failure=str(error) or type(error).__name__)
        elif fresh:
            job.discard()
        raise
    job.finish(_state(report))
    if not voice.is_json:
        _tell(report, again, quiet=order.quiet)
    reports.write(job.path, record, record.state, report=report)
    return 130 if report.reason == "interrupted" else 1 if report.failure else 0


def _endings(live: Live, crawl: Crawl) -> tuple[Callable[[], None], Callable[[], None]]:
    """To end it in order, and at once; for signals, and for the dashboard."""

    def drain() -> None:
        count, is_over = crawl.engine.snapshot.in_flight, bool(crawl.engine.snapshot.reason)
        crawl.drain()
        if is_over and not count:
            live.say("finishing the output; a database is waited for no longer")
        else:
            live.say(f"finishing {count} request{'s'[: count != 1]} in flight, press Ctrl-C again to stop at once")

    def halt() -> None:
        crawl.halt()
        live.say("stopping at once")

    return drain, halt


def _state(report: CrawlReport) -> State:
    if report.reason == "interrupted":
        return "interrupted"
    if report.reason != "finished":
        return "stopped"
    # Without a page there is nothing to go on with.
    return "failed" if report.failure and report.pages else "finished"


def _is_unfinished(report: CrawlReport) -> bool:
    """Whether the job can go on."""
    return _state(report) != "finished"


def _tell(report: CrawlReport, again: str, *, quiet: bool) -> None:
    """Show how it ended."""
    if not quiet:
        print_line(report_text(report))
        if report.pages and not (report.items or report.failure or report.stats.dropped or report.stats.item_errors):
            name = report.spider if len(report.spiders) < 2 else "NAME"
            print_line(f"no items: 'scrapekit parse URL --spider {name}' shows what a callback makes of a page")
    state = _state(report)
    if report.failure:
        print_line(f"scrapekit: error: {safe(report.failure)}")
        kinds = {**report.stats.errors, **report.stats.skipped}
        if not report.pages and kinds and (fix := fix_of(max(kinds, key=lambda kind: kinds[kind].count))):
            print_line(fix)
    if state in {"interrupted", "failed"} or (state == "stopped" and not quiet):
        print_line(again + _RAISE.get(report.reason, ""))
