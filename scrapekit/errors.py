"""Every exception that scrapekit raises, in one tree.

    ScrapekitError
    +- ConfigError             found at start, exit code 2
    |  +- SettingsError        a setting is unknown, of the wrong type or out of range
    |  +- SpiderError          a spider file can't be read, or a spider is not usable as written
    |  |  +- SpiderNotFound    no spider has that name
    |  +- JobLocked            another process runs this job
    |  +- JobNotFound          there is nothing to resume
    |  +- OutputMismatch       the output file is not the one that this job wrote
    |  +- OutputError          the output can't be opened for writing
    |  +- CacheError           the cache can't be kept where it should be
    |  +- ArchiveError         an archive can't be recorded to, or replayed from
    +- RequestError            costs one request, never the crawl; has .request
    |  +- DownloadError        no complete response came back
    |  |  +- ConnectError      no connection: refused, reset, unreachable, connect timeout
    |  |  +- DNSError          the host name has no address
    |  |  +- AddressDenied     the address is not public, and http.allow_private is false
    |  |  +- TLSError          the handshake or the certificate failed
    |  |  +- ProxyError        the proxy, not the target, refused or failed
    |  |  +- PoolExhausted     no connection of the pool came free in time
    |  |  +- DeadlineExceeded  the read timeout or the total timeout ran out
    |  |  +- ProtocolError     the server does not speak HTTP, or broke off
    |  |  +- BodyTooLarge      the body is over http.max_body
    |  |  +- TruncatedBody     the body ended early
    |  |  +- TooManyRedirects  the redirect chain is over http.max_redirects
    |  |  +- BadRedirect       the Location header can't be followed
    |  |  +- Rejected          a hook has turned the response down
    |  |     +- Banned         it is a ban page
    |  |     +- LoggedOut      it asks for a login
    |  |  +- NotRecorded       the archive that is replayed has no answer to this request
    |  +- StatusError          the response's status is not one the spider handles; has .response
    |  +- Skipped              not fetched by policy: counted, not logged as an error
    |  |  +- RobotsDenied      robots.txt forbids it
    |  |  +- OffSite           the host is outside allowed_domains
    |  |  +- TooDeep           deeper than crawl.max_depth
    |  |  +- Trapped           over one of crawl.limits: the site may never end
    |  |     +- UrlTooLong         over url_length
    |  |     +- PathTooDeep        over path_depth
    |  |     +- RepeatingPath      over repeated_segments
    |  |     +- TooManyParameters  over query_parameters
    |  |     +- HostFull           its host has given pages_per_host
    |  +- CallbackError        the callback raised
    |  +- ParseError           the parser for the media type raised
    |  +- Quarantined          its process died several times, or its callback never returned
    +- RequestInvalid          a Request that can't be built: bad URL, unserialisable meta, unknown callback
    +- ItemError               costs one item; has .item .field .value .url
    +- FrontierError           fatal: the crawl's state can't be read or written
    +- ExportError             fatal: the output can't be written
    +- CrawlFailed             the crawl has ended, but can't be called done: nothing was fetched, or start() raised
    +- FleetError              fatal: there is no worker left

    DropItem, StopCrawl        signals that user code raises, outside the tree

Whether a failure is retried is decided in the retry policy (:mod:`scrapekit.engine.retry`), not by these classes.
"""

from __future__ import annotations

from typing import Any

from scrapekit.safe import masked


class ScrapekitError(Exception):
    """The root of everything that scrapekit raises. The messages tell no passwords: they are :func:`masked`."""

    def __init__(self, message: str = "") -> None:
        super().__init__(masked(str(message)))


class ConfigError(ScrapekitError):
    """The crawl can't start as it was asked for. The command line shows one line and exits with 2."""


class SettingsError(ConfigError):
    """A setting is unknown, of the wrong type or out of range."""


class SpiderError(ConfigError):
    """A spider file can't be read, or a spider is not usable as written."""


class SpiderNotFound(SpiderError):
    """No spider has that name."""


class JobLocked(ConfigError):
    """Another process runs this job."""


class JobNotFound(ConfigError):
    """There is no job to resume."""


class OutputMismatch(ConfigError):
    """The output file is not the one that this job wrote, or lost bytes that were committed."""


class OutputError(ConfigError):
    """The output can't be opened for writing."""


class CacheError(ConfigError):
    """The cache can't be kept where it should be."""


class ArchiveError(ConfigError):
    """An archive can't be recorded to, or replayed from."""


class RequestError(ScrapekitError):
    """One request failed. The crawl goes on.

    Args:
        message: One line: what went wrong.
        request: The :class:`~scrapekit.Request` that it cost; None where it is not known yet.
    """

    def __init__(self, message: str = "", request: Any = None) -> None:
        super().__init__(message)
        self.request = request


class DownloadError(RequestError):
    """No complete response came back."""


class ConnectError(DownloadError):
    """No connection: refused, reset, unreachable, or the connect timeout ran out."""


class DNSError(DownloadError):
    """The host name has no address."""


class AddressDenied(DownloadError):
    """The host is, or has, an address that is not public, and ``http.allow_private`` is false. Nothing was sent."""


class TLSError(DownloadError):
    """The TLS handshake failed, or the certificate was not accepted."""


class ProxyError(DownloadError):
    """The proxy, not the target, refused or failed."""


class PoolExhausted(DownloadError):
    """Every connection of the host's pool was in use until the pool timeout ran out."""


class DeadlineExceeded(DownloadError):
    """The read timeout or the total wall-clock timeout ran out."""


class ProtocolError(DownloadError):
    """The server does not speak HTTP as RFC 9112 has it, or broke the connection off."""


class BodyTooLarge(DownloadError):
    """The body, on the wire or decoded, is over ``http.max_body``."""


class TruncatedBody(DownloadError):
    """The body ended before its declared or its encoded end."""


class TooManyRedirects(DownloadError):
    """The chain of redirects is longer than ``http.max_redirects``."""


class BadRedirect(DownloadError):
    """The Location header is missing, malformed, or of a scheme that is not fetched."""


class NotRecorded(DownloadError):
    """The archive that is replayed has no answer to this request, and nothing else is asked."""


class Rejected(DownloadError):
    """Raised by the ``after_response`` of a hook: this response is not what was asked for, try again.

    Args:
        message: One line.
        request: The request, where it is known.
        retry: The request as it is to be tried: of the same page, with another session, proxy or headers.
        first: Requests to make before, with a high priority. Workers that meet this at the same time, with the same
            cookies, make them once.
        wait: Seconds until then, at least.
    """

    def __init__(
        self, message: str = "", request: Any = None, *, retry: Any = None, first: Any = (), wait: float = 0.0
    ) -> None:
        super().__init__(message, request)
        self.retry = retry
        self.first = list(first)
        self.wait = wait


class Banned(Rejected):
    """The response is a ban page. The proxy through which it came rests."""


class LoggedOut(Rejected):
    """The response asks for a login."""


class StatusError(RequestError):
    """The response's status is not a success and not in ``Request.handle_statuses``.

    Args:
        message: One line, with the status.
        request: The request.
        response: The response; its body may be cut (see ``Request.errback``).
    """

    def __init__(self, message: str = "", request: Any = None, response: Any = None) -> None:
        super().__init__(message, request)
        self.response = response


class Skipped(RequestError):
    """Not fetched by policy. Counted, not logged as an error."""


class RobotsDenied(Skipped):
    """robots.txt forbids it."""


class OffSite(Skipped):
    """The host is outside ``allowed_domains``."""


class TooDeep(Skipped):
    """It was found deeper than ``crawl.max_depth``."""


class SpiderStopped(Skipped):
    """Its spider has ended with StopCrawl, in a crawl of several."""


class Trapped(Skipped):
    """It is over one of ``crawl.limits``, which are there for sites that never end."""


class UrlTooLong(Trapped):
    """The URL has more than ``crawl.limits.url_length`` characters."""


class PathTooDeep(Trapped):
    """The URL's path has more than ``crawl.limits.path_depth`` segments."""


class RepeatingPath(Trapped):
    """The URL's path has the same segment more than ``crawl.limits.repeated_segments`` times."""


class TooManyParameters(Trapped):
    """The URL's query has more than ``crawl.limits.query_parameters`` parameters."""


class HostFull(Trapped):
    """Its host has given ``crawl.limits.pages_per_host`` pages."""


class CallbackError(RequestError):
    """The spider's callback raised, or yielded what is neither an item nor a request."""


class ParseError(RequestError):
    """The parser for the response's media type raised."""


class Quarantined(RequestError):
    """The process died several times while this request was in flight, so it is not tried again."""


class RequestInvalid(ScrapekitError, ValueError):
    """A Request that can't be built: a bad URL, a ``meta`` that is not JSON, an unknown callback."""


class ItemError(ScrapekitError):
    """One item can't be written. The crawl goes on.

    Args:
        message: One line: what is wrong with it, with the field.
        item: The item.
        field: The field that is wrong, such as ``price`` or ``authors[1].born``; None where it is not one field.
        value: What is in it.
        url: The page that the item was taken from, where it is known.
    """

    def __init__(
        self,
        message: str = "",
        item: Any = None,
        *,
        field: str | None = None,
        value: Any = None,
        url: str | None = None,
    ) -> None:
        super().__init__(message)
        self.item = item
        self.field = field
        self.value = value
        self.url = url


class FrontierError(ScrapekitError):
    """The crawl's durable state can't be read or written. The crawl stops."""


class ExportError(ScrapekitError):
    """The output can't be written, for instance because the disk is full. The crawl stops."""


class CrawlFailed(ScrapekitError):
    """The crawl has ended, but can't be called done: nothing was fetched, or ``start()`` raised."""


class FleetError(ScrapekitError):
    """There is no worker left, and none can be started. The crawl stops."""


class DropItem(Exception):
    """Raised by a pipeline to drop the item. It is counted, with the message as the reason."""


class StopCrawl(Exception):
    """Raised by a callback or pipeline to end the crawl cleanly, after what is in flight. The message is the reason."""


def request_error(name: str) -> type[RequestError]:
    """The :class:`RequestError` class called ``name``, as failures name theirs; RequestError itself for any other."""
    found = globals().get(name)
    if isinstance(found, type) and issubclass(found, RequestError):
        return found
    return RequestError
