"""``scrapekit settings``: every setting that holds, and where it was set."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scrapekit.cli.options import load_settings, override_option, settings_option
from scrapekit.safe import safe_lines


@click.command("settings", short_help="Show all settings that hold, and who set them.")
@click.argument("name", required=False)
@override_option
@settings_option
def settings_command(name: str | None, overrides: tuple[str, ...], settings_file: str | None) -> None:
    """Show all settings that hold, one on a line, and who set them; with NAME, those that hold for that spider.

    Values are shown as JSON, which -s understands; passwords are not.

    \b
    scrapekit settings
    scrapekit settings quotes -s throttle.delay=2
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.project.spiders import load_spider
    from scrapekit.settings import flatten, mask

    spider = None if name is None else load_spider(name, Path.cwd())
    settings, origins = load_settings(settings_file, spider, overrides)
    for key, value in flatten(settings).items():
        shown = json.dumps(mask(key, value), ensure_ascii=False)
        click.echo(safe_lines(f"{key} = {shown}  ({origins[key]})"))
