"""``scrapekit fetch``: one page as it comes back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from scrapekit.cli.live import print_line
from scrapekit.cli.options import override_option, settings_option
from scrapekit.cli.page import code_of, get_with, reading
from scrapekit.safe import safe, safe_lines

if TYPE_CHECKING:
    from scrapekit.messages import Response


@click.command("fetch", short_help="Fetch a page: its body, headers, links or text.")
@click.argument("url")
@click.option("--headers", "what", flag_value="headers", help="The status and the headers.")
@click.option("--links", "what", flag_value="links", help="Where its links lead, one URL a line.")
@click.option("--text", "what", flag_value="text", help="What a reader sees, without the markup.")
@override_option
@settings_option
def fetch_command(url: str, what: str | None, overrides: tuple[str, ...], settings_file: str | None) -> int:
    """Fetch URL as a crawl would (robots.txt, retries, redirects, the settings of this folder), and show its body.

    To a file or a pipe the body goes as it is, to a terminal as text that can do nothing to it.

    The exit code is 0 if the page came, 1 if it did not, or with a status of 400 and above.

    \b
    scrapekit fetch https://quotes.toscrape.com/
    scrapekit fetch https://quotes.toscrape.com/ --links
    scrapekit fetch https://quotes.toscrape.com/ --headers -s http.user_agent=mybot/1.0
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    response = get_with(url, overrides, settings_file)
    if what == "headers":
        click.echo(safe_lines(headers(response)))
    elif what == "links":
        with reading(response.url):
            links = list(dict.fromkeys(request.url for request in response.follow_all("a, area")))
        for link in links:
            click.echo(safe_lines(link))
        if not links:
            _say_nothing("there are no links", response)
    elif what == "text" and not _is_binary(response):
        from scrapekit.cli.reading import readable

        with reading(response.url):
            text = readable(response)
        click.echo(safe_lines(text))
        if not text.strip():
            _say_nothing("there is no text", response)
    elif what == "text" or (sys.stdout is not None and sys.stdout.isatty()):
        click.echo(_shown(response))
    else:
        for piece in response.iter_bytes():
            click.echo(piece, nl=False)
    return code_of(response)


def headers(response: Response) -> str:
    """The status and the headers, one a line, as they came."""
    return "\n".join([f"{response.status} {response.url}", *(f"{name}: {value}" for name, value in _pairs(response))])


def _say_nothing(what: str, response: Response) -> None:
    print_line(
        f"{what} on {safe(response.url)}\n"
        "what a browser shows may have been put there by scripts: look at 'scrapekit fetch URL'"
    )


def _pairs(response: Response) -> list[tuple[str, str]]:
    return [(name, value) for name in response.headers for value in response.headers.getlist(name)]


def _shown(response: Response) -> str:
    """The body for a terminal: text, or one line that says what it is."""
    if _is_binary(response):
        kind = safe(response.headers.get("content-type", "binary data"))
        return f"({response.size:,} bytes of {kind}: send them to a file with '> FILE')"
    return safe_lines(response.text)


def _is_binary(response: Response) -> bool:
    return b"\0" in response.body[:4096] and not response.headers.get("content-type", "").startswith("text/")
