"""``scrapekit check``: whether a spider still gives the items that it gave for recorded pages."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from scrapekit.cli.log import logging_to
from scrapekit.cli.options import load_settings, override_option, parse_arguments, settings_option
from scrapekit.cli.words import SpiderName


@click.command("check", short_help="Replay recorded pages, and compare the items.")
@click.argument("name", type=SpiderName())
@click.option("-a", "arguments", multiple=True, metavar="NAME=VALUE", help="An argument for the spider.")
@override_option
@settings_option
@click.option("--update", is_flag=True, help="Accept the items that come now.")
@click.option("-v", "--verbose", is_flag=True, help="Show what the crawl has to say, with tracebacks.")
def check_command(
    name: str,
    arguments: tuple[str, ...],
    overrides: tuple[str, ...],
    settings_file: str | None,
    *,
    update: bool,
    verbose: bool,
) -> int:
    """Run the spider NAME on recorded pages, and compare its items with those that were accepted.

    The pages are those of tests/golden/NAME.warc.gz, the items those of tests/golden/NAME.jsonl. No network is used,
    and the order of the items makes no difference. The exit code is 0 when they are the same, 1 when they differ, 2
    when a file is missing.

    \b
    scrapekit crawl quotes --record tests/golden/quotes.warc.gz
    scrapekit check quotes --update
    scrapekit check quotes
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.project.golden import FOLDER, Golden
    from scrapekit.project.spiders import load_spider, make_spider

    cls = load_spider(name, Path.cwd())
    settings = load_settings(settings_file, cls, overrides).settings
    golden = Golden.of(Path(FOLDER), cls.name)
    with logging_to(None, logging.WARNING if verbose else logging.CRITICAL):
        checked = golden.check(make_spider(cls, parse_arguments(arguments)), settings)
    count = len(checked.came)
    items = f"{count} item{'s'[: count != 1]}"
    if update and checked.failure is None:
        checked.accept()
        click.echo(f"{cls.name}: {items} accepted, in {golden.items}")
        return 0
    complaint = checked.complaint(f"scrapekit check {name} --update")
    click.echo(complaint or f"{cls.name}: {items}, as they should be")
    return 0 if complaint is None else 1
