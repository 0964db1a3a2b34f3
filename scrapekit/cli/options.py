"""What the commands share: options, and where the settings come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrapekit.cli.words import File

if TYPE_CHECKING:
    from scrapekit.settings import Loaded
    from scrapekit.spider import Spider

SETTINGS_FILE = "settings.yaml"

override_option: Callable[[Any], Any] = click.option(
    "-s", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Set a setting; wins over all other sources."
)
settings_option: Callable[[Any], Any] = click.option(
    "--settings",
    "settings_file",
    type=File(),
    help=f"The settings file.  [default: {SETTINGS_FILE} in this folder, if it is there]",
)


def load_settings(file: str | None, spider: type[Spider] | None, overrides: Sequence[str]) -> Loaded:
    """The settings that hold for a spider, or for none. Raises SettingsError."""
    from scrapekit.project.spiders import settings_origin
    from scrapekit.settings import load

    # lexists(): a link that leads nowhere is an error, and not a project without settings.
    path = Path(file) if file is not None else Path(SETTINGS_FILE) if os.path.lexists(SETTINGS_FILE) else None
    if spider is None:
        return load(path, overrides=overrides)
    return load(path, spider.settings, settings_origin(spider), overrides)


def parse_arguments(pairs: Sequence[str]) -> Mapping[str, str]:
    """``-a name=value`` as a mapping; the last one of a name wins. Raises click.UsageError."""
    arguments = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"-a: {pair!r} is not of the form name=value")
        arguments[name.strip()] = value
    return arguments
