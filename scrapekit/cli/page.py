"""One page, fetched to be looked at: as politely as a crawl would, with the project's settings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scrapekit.cli.live import print_line
from scrapekit.cli.log import logging_to
from scrapekit.cli.options import load_settings
from scrapekit.safe import safe

if TYPE_CHECKING:
    from scrapekit.messages import Request, Response
    from scrapekit.settings import Settings
    from scrapekit.spider import Spider

_FIXES = {
    "RobotsDenied": "if the site's owner lets you all the same: -s robots.obey=false",
    "DNSError": "is the name spelled right? 'scrapekit doctor URL' tells a wrong name from a network that fails",
    "ConnectError": "is it up, and the port right? 'scrapekit doctor URL' looks at the network from here",
    "TLSError": "'scrapekit doctor URL' looks at the certificates that are trusted here; http.ca_bundle names others",
    "ProxyError": "look at http.proxies: 'scrapekit settings' shows it",
    "AddressDenied": "http.allow_private is false: set it to true only if you trust whoever gives the URLs",
    "DeadlineExceeded": "give it longer: -s http.timeout.read=120 -s http.timeout.total=600",
    "BodyTooLarge": "let it be larger: -s http.max_body=1GiB",
    "TooManyRedirects": "the site may want cookies (http.cookies), or follow more: -s http.max_redirects=30",
}


def get(url: Any, settings: Settings) -> Response:
    """The page, whatever its status, which is said where it is not a success.

    Args:
        url: The URL, or a request, which is fetched as it is.
        settings: What holds.

    Raises:
        ConfigError: It is no URL.
        RequestError: There is none. Both have a note that says what to do.
    """
    from scrapekit.errors import request_error
    from scrapekit.messages import Failed
    from scrapekit.project import fetch

    if isinstance(url, str):
        shown = [status for status in range(400, 600) if status not in settings.retry.statuses]
        url = request_to(url).replace(handle_statuses=tuple(shown))
    with logging_to(None, logging.ERROR):  # what it failed of is raised below
        (result,) = fetch(url, settings=settings)
    if isinstance(result, Failed):
        failure = request_error(result.error)(f"{result.url}: {result.message}", result.request)
        if result.error in _FIXES:
            failure.add_note(_FIXES[result.error])
        raise failure
    if result.status >= 400:
        print_line(f"{safe(result.url)}: status {result.status}")
    return result


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
