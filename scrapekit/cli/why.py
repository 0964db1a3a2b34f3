"""``scrapekit why``: the whole story of one URL."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import click

from scrapekit.cli.log import logging_to
from scrapekit.safe import safe

if TYPE_CHECKING:
    from scrapekit.engine import Stats
    from scrapekit.project.job import Record
    from scrapekit.project.jobs import Jobs
    from scrapekit.project.ledger import Attempt, Ledger, Story, Wait
    from scrapekit.project.rules import Rules
    from scrapekit.web.urls import Address

_MOST = 20  # requests of one URL that are shown: there may be many where they are not deduplicated
_STEPS = 10  # of the way from the start that are shown


@click.command("why", short_help="What became of a URL, and why.")
@click.argument("url")
@click.option("--job", metavar="JOB", help="The job to ask; without it, the latest that has seen the URL.")
@click.pass_context
def why_command(ctx: click.Context, url: str, job: str | None) -> int:
    """Tell the whole story of URL, in whatever spelling: on which page it was found, by which callback and when; each
    attempt with its status, error and time; where it redirected to; why it waits, failed or was dropped. If no job has
    seen it: which rule of the latest one keeps it out. Also works while the job runs.

    The exit code is 0 if the URL was found, 1 if not, 2 if there is no such job or it is no URL.

    \b
    scrapekit why https://example.org/page
    scrapekit why https://example.org/page --job books-20261120-184501
    """  # noqa: D205, D301  (\b is click's: it leaves these lines as they are)
    ctx.with_resource(logging_to(None, logging.WARNING))
    found, lines = why(Path.cwd(), url, job)
    for line in lines:
        click.echo(line)
    return 0 if found else 1


def why(root: Path, url: str, job: str | None) -> tuple[bool, list[str]]:
    """Whether a job knows the URL, and what is to be said of it, in lines that are safe to show. Any thread.

    Args:
        root: The project's folder.
        url: In whatever spelling.
        job: The job to ask; None for the latest that has seen it.

    Raises:
        ConfigError: It is no URL, or there is no such job.
        FrontierError: The job can't be read.
    """
    from scrapekit.errors import ConfigError, FrontierError, JobNotFound, RequestInvalid
    from scrapekit.project.jobs import Jobs
    from scrapekit.project.ledger import Ledger
    from scrapekit.web.urls import address

    try:
        target = address(url)
    except RequestInvalid as error:
        raise ConfigError(f"{url}: {error}") from error
    jobs = Jobs(root)
    if job is not None:
        jobs.folder(job)
    records = [(name, record) for name, record in jobs.all() if job in {None, name}]
    if not records:
        raise JobNotFound(f"job {job} can't be read" if job else "no job has been run in this folder")
    unseen: list[str] = []
    for name, record in records:
        try:
            with Ledger(jobs.folder(name)) as ledger:
                if stories := ledger.stories(target):
                    return True, list(_found(target, stories, name, record, jobs.state(name, record)))
                if not unseen:
                    unseen = list(_unseen(ledger, target, name, jobs, record))
        except FrontierError:
            if job is not None:
                raise
    if not unseen:
        raise FrontierError("no job of this folder can be read; say which one with --job to see why")
    if len(records) > 1:
        unseen[0] += ", nor in any other job"
    return False, unseen


def _found(target: Address, stories: list[Story], job: str, record: Record, state: str) -> Iterator[str]:
    """What is known of each request of the URL."""
    more = f"; the last {_MOST} of {len(stories):,} requests" if len(stories) > _MOST else ""
    yield f"job {safe(job)}, {state}{more}"
    for story in stories[-_MOST:]:
        entry = story.entry
        yield ""
        yield f"{safe(entry.url)}: {entry.state}" + (f", {safe(entry.error)}" if _final(story) and entry.error else "")
        if entry.url != target.url:
            yield _line("spelling", f"a link to {target.url} is a duplicate of it")
        yield from _origin(story)
        if entry.queued is not None:
            yield _line("queued", _clock(entry.queued))
        for number, attempt in enumerate(story.tried, 1):
            yield _line("attempts" if number == 1 else "", _attempt(attempt))
        if not story.tried and _final(story) and entry.state == "done":
            yield _line("attempts", f"{entry.attempts} failed; the last brought {entry.status}")
        if story.led_to is not None:
            yield _line("redirects", f"to {story.led_to}")
        elif entry.state == "done" and entry.status is not None and 300 <= entry.status < 400:
            yield _line("redirects", "to a URL that was known already, or is not let in")
        if entry.finished is not None:
            yield _line("finished", _clock(entry.finished))
        if story.wait is not None:
            yield _line("waits for", _waits_for(story, story.wait, running=state == "running"))
            if state != "running":
                resume = shlex.join(["scrapekit", "crawl", *record.names, "--resume", job])
                yield _line("", f"the job is {state}; to go on: {resume}")


def _final(story: Story) -> bool:
    return story.wait is None


def _origin(story: Story) -> Iterator[str]:
    """Where it was found, page by page, back to the start."""
    entry, way = story.entry, story.way
    if len(way) == 1:
        yield _line("found", "as a start request")
    for number, (here, before) in enumerate(pairwise(way[: _STEPS + 1])):
        if here.redirects > before.redirects:
            how = f"by a redirect of {before.url}"
        else:
            how = f"on {before.url}, by {before.callback or 'parse'}()"
        yield _line("found" if number == 0 else "", how + (", a start request" if number == len(way) - 2 else ""))
    if len(way) > _STEPS + 1:
        yield _line("", f"and so on, {len(way) - _STEPS - 1} more steps to the start request {way[-1].url}")
    yield _line("callback", f"{entry.callback or 'parse'}(), depth {entry.depth}, priority {entry.priority}")


def _attempt(attempt: Attempt) -> str:
    """One attempt, in a line."""
    if attempt.location is not None:
        what = f"{attempt.status} to {attempt.location}"
    elif attempt.error is not None:
        what = attempt.error
    else:
        what = f"{attempt.status}, {attempt.bytes:,} bytes"
    return f"{_clock(attempt.at)}  {attempt.elapsed:.3f} s  {what}"


def _waits_for(story: Story, wait: Wait, *, running: bool) -> str:
    """Why an open request is not being fetched."""
    entry, now = story.entry, time()
    if wait.in_flight:
        return "its outcome: a worker has it" if running else "the next run: a worker had it when the process died"
    if entry.not_before is not None and entry.not_before > now:
        return f"its retry, at {_clock(entry.not_before)} ({entry.not_before - now:,.0f} s), after {entry.error}"
    if wait.held_until is not None and wait.held_until > now:
        return f"its host: {wait.reason}, until {_clock(wait.held_until)} ({wait.held_until - now:,.0f} s)"
    if wait.robots_missing:
        return "the robots.txt of its host, which has not come yet"
    turn = "its turn"
    if wait.before is not None:
        turn += f": {wait.before:,} of {entry.host} are before it, and what the engine has taken already"
    else:
        turn += ": the engine has it among the next"
    return turn + (f"; robots.txt asks for {wait.crawl_delay:g} s between two" if wait.crawl_delay else "")


def _unseen(ledger: Ledger, target: Address, job: str, jobs: Jobs, record: Record) -> Iterator[str]:
    """What can be said of a URL that has no row."""
    state = jobs.state(job, record)
    yield f"{safe(target.url)} was never seen in job {safe(job)}, {state}"
    against = ledger.against(target)
    for reason in against:
        yield _line("kept out", reason)
    if not against:
        yield _line("rules", "nothing keeps it out: no page that was fetched has a link to it that was followed")
        yield from _maybe(ledger.stats, ledger.rules.values())
    counts = ledger.counts()
    if still := counts.get("pending", 0) + counts.get("leased", 0):
        yield _line("open", f"{still:,} requests: it may be found yet")


def _maybe(stats: Stats, rules: Iterable[Rules]) -> Iterator[str]:
    """Rules that depend on where a link stood, which is not written down."""
    if (deep := stats.skipped.get("TooDeep")) is not None:
        were = f"{deep.count:,} link{'s were' if deep.count > 1 else ' was'}"
        depths = " or ".join(str(each.max_depth) for each in rules if each.max_depth is not None)
        yield _line("perhaps", f"too deep: {were}, beyond crawl.max_depth ({depths})")
    if stats.failed or stats.quarantined:
        yield _line("perhaps", f"on a page that failed: {stats.failed + stats.quarantined:,} did")


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"


def _line(title: str, text: str) -> str:
    return f"  {title:10} {safe(text)}"
