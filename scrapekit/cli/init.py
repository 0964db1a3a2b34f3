"""``scrapekit init``: the first files of a project."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from scrapekit.safe import safe, safe_lines


@click.command("init", short_help="Start a project: settings, a spider, a test.")
@click.argument("folder", metavar="[DIR]", required=False, default=".")
def init_command(folder: str) -> None:
    """Write the first files of a project into DIR, by default this folder: settings, a spider, its test, a .gitignore.

    Nothing is overwritten: what is there already stays as it is.

    \b
    scrapekit init
    scrapekit init my_project
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.cli import templates
    from scrapekit.cli.shipped import shipped

    files = {
        "settings.yaml": templates.commented(shipped("settings.yaml")),
        "spiders/quotes.py": templates.SPIDER,
        "tests/test_quotes.py": templates.TEST,
        ".gitignore": templates.GITIGNORE,
    }
    for name, text in files.items():
        path = Path(folder, name)
        click.echo(f"{'wrote' if write_new(path, text) else 'kept '}  {safe(str(path))}")
    steps = [] if Path(folder).resolve() == Path.cwd() else [f"cd {shlex.quote(folder)}"]
    click.echo("\nnext:")
    for step in (
        *steps,
        "scrapekit crawl quotes -O quotes.jsonl",
        "scrapekit new NAME URL    # a spider for your site",
    ):
        click.echo(f"  {safe_lines(step)}")


def write_new(path: Path, text: str) -> bool:
    """Write a file that is not there yet, and its folder; whether it was not.

    Raises:
        ConfigError: It can't be written there.
    """
    from scrapekit.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        if path.parent.is_dir():
            return False
        raise ConfigError(f"{path.parent}: a file, where a folder is needed: choose another DIR") from error
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}") from error
    return True
