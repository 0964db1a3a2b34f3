"""``scrapekit parse``: run one callback of a spider on one page."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrapekit.cli.live import print_line
from scrapekit.cli.options import load_settings, override_option, parse_arguments, settings_option
from scrapekit.cli.page import as_seen_by, code_of, get
from scrapekit.cli.voice import is_terminal
from scrapekit.cli.words import SpiderName
from scrapekit.safe import safe, safe_lines

if TYPE_CHECKING:
    from scrapekit.messages import Link, Response, Yielded
    from scrapekit.spider import Spider

_ROWS = 50  # more is a crawl


@click.command("parse", short_help="Run one callback of a spider on a page.")
@click.argument("url")
@click.option("--spider", "name", type=SpiderName(), required=True, help="A spider of spiders/, or a file.")
@click.option("--callback", metavar="METHOD", help="The method to run.  [default: parse]")
@click.option("-a", "arguments", multiple=True, metavar="NAME=VALUE", help="An argument for the spider.")
@override_option
@settings_option
def parse_command(url: str, name: str, callback: str | None, arguments: tuple[str, ...], **given: Any) -> int:
    """Fetch URL as a crawl would, run a callback of a spider on it, and show the items and requests that it yields.

    Items pass through the spider's pipelines first. Nothing is written, no request is followed.

    The exit code is 0 if the callback has returned, 1 if it or an item failed, or the page did not come, or came with
    a status of 400 and above.

    \b
    scrapekit parse https://quotes.toscrape.com/ --spider quotes
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.errors import RequestInvalid, SpiderError
    from scrapekit.fleet.callbacks import Callbacks
    from scrapekit.project.spiders import load_spider, make_spider

    cls = load_spider(name, Path.cwd())
    spider = make_spider(cls, parse_arguments(arguments))
    settings = load_settings(given["settings_file"], cls, given["overrides"]).settings
    callbacks = Callbacks(spider)
    try:
        callbacks.find(callback)
    except RequestInvalid as error:
        raise SpiderError(str(error)) from error
    response = get(url, settings)
    yielded = _run(spider, callbacks, callback, response)
    if yielded is None:
        return 1
    _show(yielded)
    return 1 if yielded.rejected else code_of(response)


def _run(spider: Spider, callbacks: Any, callback: str | None, response: Response) -> Yielded | None:
    """What the callback yields, as a worker runs it; None, and the traceback on stderr, if it raises."""
    from scrapekit.fleet.callbacks import Harvest
    from scrapekit.fleet.pipelines import Pipelines
    from scrapekit.messages.reason import trace

    pipelines = Pipelines(spider.pipelines, spider.unique)
    harvest = Harvest(callbacks, pipelines, response.url)
    try:
        harvest.take(partial(callbacks.find(callback), as_seen_by(spider, response)))
        return harvest.finish()
    except Exception as error:  # noqa: BLE001  (user code)
        print_line(safe_lines(trace(error)))
        print_line(f"scrapekit: error: {callback or 'parse'} raised {type(error).__name__} on {safe(response.url)}")
        return None
    finally:
        pipelines.close_thread()


def _show(yielded: Yielded) -> None:
    """Items and requests as tables, then a line on whatever else became of them."""
    from rich.console import Console

    written = StringIO()  # to be echoed by click, who knows what a stdout takes, and whose errors are said to be its
    terminal = is_terminal(sys.stdout) or None
    console = Console(file=written, force_terminal=terminal, highlight=False, markup=False, emoji=False)
    items: list[dict[str, Any]] = [json.loads(item) for item in yielded.items]
    columns = list(dict.fromkeys(column for item in items for column in item))
    cells = [[_cell(item[column]) if column in item else "" for column in columns] for item in items]
    for title, heads, rows in (
        (f"{len(items)} item{'s'[: len(items) != 1]}", columns, cells),
        (f"{len(yielded.links)} request{'s'[: len(yielded.links) != 1]}", *_requests(yielded.links)),
    ):
        console.print(title)
        if rows:
            console.print(_table(heads, rows))
        if len(rows) > _ROWS:
            console.print(f"and {len(rows) - _ROWS} more")
    for reason, count in yielded.dropped.items():
        console.print(f"{count} dropped by a pipeline: {safe(reason)}")
    if yielded.stop:
        console.print(f"StopCrawl: {safe(yielded.stop)}")
    click.echo(written.getvalue(), nl=False)
    for rejected in yielded.rejected:
        print_line(f"scrapekit: error: {safe(rejected.message)}")


def _requests(links: Sequence[Link]) -> tuple[list[str], list[list[str]]]:
    from scrapekit.messages.link import request_of

    made = [request_of(link.url, link.callback, link.priority, link.extra, link.fingerprint is None) for link in links]
    return ["method", "url", "callback"], [[each.method, each.url, each.callback or "parse"] for each in made]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for head in heads:
        table.add_column(Text(safe(head)), overflow="fold")
    for row in rows[:_ROWS]:
        table.add_row(*(Text(safe(cell)) for cell in row))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) or value is None else str(value)
