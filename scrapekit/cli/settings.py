"""``scrapekit settings``: every setting that holds, and where it was set."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scrapekit.cli.options import load_settings, override_option, settings_option
from scrapekit.cli.words import Key, SpiderName
from scrapekit.safe import safe_lines


@click.command("settings", short_help="Show all settings that hold, and who set them.")
@click.argument("name", type=SpiderName(), required=False)
@click.option("--explain", "asked", type=Key(), help="Say what a key, or each key of a section, does.")
@override_option
@settings_option
def settings_command(
    name: str | None, asked: str | None, overrides: tuple[str, ...], settings_file: str | None
) -> None:
    """Show all settings that hold, one on a line, and who set them; with NAME, those that hold for that spider.

    Values are shown as JSON, which -s understands; passwords are not.

    \b
    scrapekit settings
    scrapekit settings quotes -s throttle.delay=2
    scrapekit settings --explain throttle.delay
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.project.spiders import load_spider
    from scrapekit.settings import flatten, mask

    spider = None if name is None else load_spider(name, Path.cwd())
    settings, origins = load_settings(settings_file, spider, overrides)
    lines = {
        key: f"{key} = {json.dumps(mask(key, value), ensure_ascii=False)}  ({origins[key]})"
        for key, value in flatten(settings).items()
    }
    if asked is None:
        for line in lines.values():
            click.echo(safe_lines(line))
        return
    from scrapekit.cli.explain import explain

    for row in explain(asked):
        set_to = [line for key, line in lines.items() if key in {row.key, asked}]
        click.echo(safe_lines("\n".join(set_to or [row.key])))
        click.echo(f"  must be  {row.must}\n  default  {row.default}\n  {row.meaning}\n")
