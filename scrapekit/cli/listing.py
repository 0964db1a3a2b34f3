"""``scrapekit list``: the spiders of this folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from scrapekit.safe import safe


@click.command("list", short_help="List the spiders of this folder.")
def list_command() -> None:
    """List the spiders in the files of the folder spiders/, with their files and the first line of their docstrings.

    A file that can't be imported is marked with '!' and the reason. The exit code is 2 if there is no spider at all.

    \b
    scrapekit list
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.errors import SpiderNotFound
    from scrapekit.project.spiders import FOLDER, find_spiders

    found = find_spiders(Path(FOLDER))
    often = Counter(each.name for each in found if each.cls)
    rows = []
    for each in found:
        twice = "(this name is there twice) " if often[each.name] > 1 else ""
        rows.append(
            (safe(each.name) if each.cls else "!", safe(str(each.path)), safe(each.error or twice + each.summary))
        )
    names, files = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    for name, file, said in rows:
        click.echo(f"{name:{names}}  {file:{files}}  {said}".rstrip())
    if not often:
        raise SpiderNotFound(f"there are no spiders in {FOLDER}/: 'scrapekit new NAME URL' writes one")
