"""The command line as a whole: the group of commands, and what each kind of error looks like."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import click

from scrapekit.cli.check import check_command
from scrapekit.cli.completion import completion_command
from scrapekit.cli.crawl import crawl_command
from scrapekit.cli.doctor import doctor_command
from scrapekit.cli.fetch import fetch_command
from scrapekit.cli.init import init_command
from scrapekit.cli.jobs import jobs_command
from scrapekit.cli.listing import list_command
from scrapekit.cli.live import print_line
from scrapekit.cli.new import new_command
from scrapekit.cli.parse import parse_command
from scrapekit.cli.retry import retry_command
from scrapekit.cli.select import select_command
from scrapekit.cli.settings import settings_command
from scrapekit.cli.shell import shell_command
from scrapekit.cli.ui import ui_command
from scrapekit.cli.why import why_command
from scrapekit.errors import ConfigError, ScrapekitError
from scrapekit.safe import safe, safe_lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit code: 0, 1 it failed, 2 it was asked for wrongly, 130 it was interrupted.

    Args:
        arguments: The words after ``scrapekit``; None for those of the process.
    """
    session: dict[str, Any] = {"verbose": False, "json": False}
    try:
        code = scrapekit.main(args=arguments, prog_name="scrapekit", standalone_mode=False, obj=session)
    except click.UsageError as error:
        words = sys.argv[1:] if arguments is None else arguments
        named = next((f"scrapekit {word}" for word in words if word in scrapekit.commands), "scrapekit")
        asked = error.ctx.command_path if error.ctx else named  # click has none for an option without its value
        return _failed(session, 2, error.format_message(), "UsageError", f"try '{asked} --help'")
    except ScrapekitError as error:
        if session["verbose"] and not session["json"]:
            print_line(safe_lines("".join(traceback.format_exception(error))).rstrip())
        code, notes = 2 if isinstance(error, ConfigError) else 1, getattr(error, "__notes__", ())
        return _failed(session, code, str(error), type(error).__name__, *notes)
    except OSError as error:
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        if frame.f_code is not click.echo.__code__:
            raise
        return _failed(session, 1, f"stdout can't be written: {error.strerror}", type(error).__name__)
    except click.Abort as error:
        if not isinstance(error.__cause__, KeyboardInterrupt):  # it stands for EOFError too
            raise
        return _failed(session, 130, "interrupted", "KeyboardInterrupt", *getattr(error.__cause__, "__notes__", ()))
    return code if isinstance(code, int) else 0


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, help="Show the version and exit.")
@click.pass_context
def scrapekit(ctx: click.Context, *, version: bool) -> int | None:
    """Scrape web sites with a thread-pooled, polite, crash-safe crawler.

    \b
    scrapekit init                      start a project in this folder
    scrapekit new shop URL              write a spider for a site, guessed from a page
    scrapekit select URL 'h1::text'     what a selector finds on a page; see fetch, parse and shell
    scrapekit list                      the spiders of this folder
    scrapekit crawl quotes              run one of them
    scrapekit crawl quotes --resume     go on where it was interrupted
    scrapekit settings quotes           the settings that hold for it
    scrapekit jobs                      the jobs of this folder, and how each stands
    scrapekit ui                        the same in a browser
    scrapekit why URL                   what became of a URL, and why
    scrapekit retry JOB                 try again what has failed
    scrapekit check quotes              whether it still gives the items that it gave for recorded pages
    scrapekit doctor                    whether this machine is fit for a crawl
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    if version:
        click.echo(f"scrapekit {_version()}")
        ctx.exit()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        return 2
    return None


for _command in (
    init_command,
    new_command,
    crawl_command,
    list_command,
    settings_command,
    jobs_command,
    ui_command,
    why_command,
    retry_command,
    check_command,
    fetch_command,
    parse_command,
    select_command,
    shell_command,
    doctor_command,
    completion_command,
):
    scrapekit.add_command(_command)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("scrapekit")
    except PackageNotFoundError:
        return "(not installed: this is a checkout)"


def _failed(session: Mapping[str, Any], code: int, message: str, kind: str, *hints: str) -> int:
    """Say what has ended the command: to people, or where stderr is for programs, to them."""
    if session["json"]:
        from scrapekit.cli.jsonlog import error_line

        print_line(error_line(message, kind, hint="; ".join(hints), exit_code=code))
        return code
    print_line(f"scrapekit: error: {safe(message)}")
    for hint in hints:
        print_line(safe_lines(hint))
    return code
