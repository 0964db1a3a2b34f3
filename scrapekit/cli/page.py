"""One page, fetched to be looked at: as politely as a crawl would, with the project's settings."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from scrapekit.cli.live import print_line
from scrapekit.cli.log import logging_to
from scrapekit.cli.options import load_settings
from scrapekit.safe import safe

if TYPE_CHECKING:
    from scrapekit.engine import Engine
    from scrapekit.messages import Request, Response
    from scrapekit.settings import Settings
    from scrapekit.spider import Spider

_LOOK_SECONDS = 2.0  # from one look at what a page waits for to the next

_FIXES = {
    "StatusError": "the site is in trouble, or wants fewer requests: try again later",
    "RobotsDenied": "if the site's owner lets you all the same: -s robots.obey=false",
    "DNSError": "is the name spelled right? 'scrapekit doctor URL' tells a wrong name from a network that fails",
    "ConnectError": "is it up, and the port right? 'scrapekit doctor URL' looks at the network from here",
    "ProxyError": "look at http.proxies: 'scrapekit settings' shows it",
    "AddressDenied": "http.allow_private is false: set it to true only if you trust whoever gives the URLs",
    "TruncatedBody": "the server breaks off, or something on the way: try again",
    "DeadlineExceeded": "give it longer: -s http.timeout.read=120 -s http.timeout.total=600",
    "BodyTooLarge": "let it be larger: -s http.max_body=1GiB",
    "TooManyRedirects": "the site may want cookies (http.cookies), or follow more: -s http.max_redirects=30",
}
_STATUSES = {
    401: "it wants a login: http.auth has credentials by host name, docs/forms.md is about forms",
    403: "it refuses this visitor: it may want a login (http.auth, docs/forms.md), or another http.user_agent",
    407: "the proxy wants a login: put it into its URL in http.proxies",
}


def get(url: Any, settings: Settings) -> Response:
    """The page, whatever its status, which is said where it is not a success; and while it waits, why.

    Args:
        url: The URL, or a request, which is fetched as it is.
        settings: What holds.

    Raises:
        ConfigError: It is no URL.
        RequestError: There is none. Both have a note that says what to do.
    """
    from scrapekit.errors import request_error
    from scrapekit.messages import Failed
    from scrapekit.project.library import fetch_watched

    if isinstance(url, str):
        shown = [status for status in range(400, 600) if status not in settings.retry.statuses]
        url = request_to(url).replace(handle_statuses=tuple(shown))
    with logging_to(None, logging.INFO, only="retry"), ExitStack() as watched:  # what it failed of is raised below
        (result,) = fetch_watched(url, settings, lambda crawl: watched.enter_context(_saying_why(crawl.engine)))
    if isinstance(result, Failed):
        failure = request_error(result.error)(f"{result.url}: {result.message}", result.request)
        if fix := fix_of(result.error):
            failure.add_note(fix)
        raise failure
    if result.status >= 400:
        print_line(f"{safe(result.url)}: status {result.status}")
        if refused := _STATUSES.get(result.status):
            print_line(refused)
    return result


def fix_of(kind: str) -> str:
    """What to do about a kind of error, ``DNSError`` or ``StatusError 403``; empty where nothing is known. Pure."""
    name, _, status = kind.partition(" ")
    if status and not (status in {"408", "429"} or status >= "500"):
        return _STATUSES.get(int(status), "")
    return _FIXES.get(name, "")


@contextmanager
def _saying_why(engine: Engine) -> Iterator[None]:
    """Says, from a thread of its own, what a fetch waits for, if it does."""
    ended = Event()
    thread = Thread(target=_say_why, args=(engine, ended), name="scrapekit-why", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _say_why(engine: Engine, ended: Event) -> None:
    from scrapekit.cli.display import why

    told = ""
    while not ended.wait(_LOOK_SECONDS):
        now = engine.snapshot
        reasons = [f"{safe(host.name)}: {why(host)}" for host in now.hosts if host.reason]
        line = "; ".join(reasons) or ("no answer yet" if now.in_flight else "")
        if line and line != told:
            print_line(f"waiting: {line} (Ctrl-C gives up)")
        told = line


def request_to(url: str) -> Request:
    """A request to a URL that was typed. Raises ConfigError, with a note that says what to do."""
    from scrapekit.errors import ConfigError, RequestInvalid
    from scrapekit.messages import Request

    try:
        return Request(url)
    except RequestInvalid as error:
        wrong = ConfigError(str(error))
        wrong.add_note("a URL looks like https://example.org/page")
        raise wrong from error


def get_with(url: str, overrides: tuple[str, ...], settings_file: str | None) -> Response:
    """:func:`get`, with the settings of this folder."""
    return get(url, load_settings(settings_file, None, overrides).settings)


@contextmanager
def reading(url: str) -> Iterator[None]:
    """Adds, where a page can't be read as its media type has it, how to look at it."""
    from scrapekit.errors import ParseError

    try:
        yield
    except ParseError as error:
        asked = shlex.quote(url)
        error.add_note(f"'scrapekit fetch {asked}' shows what came, 'scrapekit shell {asked}' opens Python with it")
        raise


def code_of(response: Response) -> int:
    """The exit code of a command that has shown ``response``."""
    return 1 if response.status >= 400 else 0


def as_seen_by(spider: Spider, response: Response) -> Response:
    """The response with the spider's own parsers."""
    from scrapekit.messages import Response
    from scrapekit.parse import Parsers

    return Response(
        response.url,
        response.status,
        response.headers,
        response.body,
        request=response.request,
        elapsed=response.elapsed,
        flags=response.flags,
        parse=Parsers(spider.parsers),
    )
