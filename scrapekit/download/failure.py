"""Failures: whatever http.client, ssl, socket and urllib3 raise, as one :class:`DownloadError` with one line."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Iterator

from urllib3 import exceptions as u3
from urllib3.util.ssl_match_hostname import CertificateError

from scrapekit.download.exchange import Exchange
from scrapekit.download.tls import trouble
from scrapekit.errors import (
    BodyTooLarge,
    ConnectError,
    DeadlineExceeded,
    DNSError,
    DownloadError,
    PoolExhausted,
    ProtocolError,
    ProxyError,
    TLSError,
    TruncatedBody,
)

_UNPRINTABLE = re.compile(r"[^ -~]+")
_LONGEST = 200  # characters of a library's message


def failure(error: Exception, exchange: Exchange, place: str, maxsize: int, proxy: str | None) -> DownloadError:
    """The error to raise for ``error``. Pure; any thread.

    Args:
        error: What was raised between waiting for a connection and the last byte.
        exchange: The exchange.
        place: The target's ``host:port``.
        maxsize: Connections that its pool may hold.
        proxy: The proxy's ``host:port``, if there is one.
    """
    if exchange.aborted or isinstance(error, u3.ClosedPoolError):
        return DownloadError(f"{place}: the downloader is closed")
    with_proxy = proxy is not None and exchange.phase == "connecting" and not exchange.tunnelled
    if isinstance(error, DownloadError):  # raised by us, below urllib3
        if with_proxy and isinstance(error, BodyTooLarge):
            return ProxyError(f"{place}: the proxy {proxy}: its answer has no end")
        return type(error)(f"{place}: {error}")
    if isinstance(error, u3.EmptyPoolError):
        return PoolExhausted(
            f"{place}: all {maxsize} connections stayed in use for {exchange.elapsed:.3g} s: raise the host's maxsize "
            "or the pool timeout, or let fewer threads fetch from it at a time"
        )
    causes = list(_causes(error))
    if any(isinstance(cause, (TimeoutError, u3.ReadTimeoutError)) for cause in causes):
        return _timeout(exchange, place, proxy)
    if with_proxy or any(isinstance(cause, u3.ProxyError) for cause in causes):
        return ProxyError(f"{place}: the proxy {proxy}: {_proxy_trouble(causes)}")
    return _direct(error, causes, exchange, place)


def _direct(error: Exception, causes: list[BaseException], exchange: Exchange, place: str) -> DownloadError:
    """As :func:`failure`, for what is neither the pool's nor the clock's nor the proxy's doing."""
    root = causes[-1]
    match error:
        case u3.NameResolutionError():
            return DNSError(f"{place}: the host name can't be resolved: {_line(root)}")
        case u3.NewConnectionError():
            return ConnectError(f"{place}: no connection: {_line(root)}")
        case u3.SSLError():
            return TLSError(f"{place}: {_line(trouble(_tls_cause(causes)))}")
    if any(isinstance(cause, http.client.IncompleteRead) for cause in causes):
        return TruncatedBody(f"{place}: the body ended early: {_line(root)}")
    if isinstance(root, http.client.RemoteDisconnected):
        return ProtocolError(f"{place}: the server closed the connection before the end of its response's headers")
    if isinstance(root, ConnectionError):
        if exchange.phase == "connecting":
            return ConnectError(f"{place}: no connection: {_line(root)}")
        # By TLS, some versions of Python can't tell a reset from an end; so both cut a body short.
        kind = TruncatedBody if exchange.phase == "reading the body" else ProtocolError
        return kind(f"{place}: the connection broke while {exchange.phase}: {_line(root)}")
    if exchange.phase == "sending the request":
        return DownloadError(f"{place}: the request can't be sent: {_line(error)}")
    if isinstance(error, (u3.HTTPError, http.client.HTTPException, ValueError)):
        return ProtocolError(f"{place}: not HTTP as it should be: {_line(root)}")
    return DownloadError(f"{place}: {_line(error)}")


def _timeout(exchange: Exchange, place: str, proxy: str | None) -> DownloadError:
    terms = exchange.terms
    if exchange.expired:
        return DeadlineExceeded(f"{place}: not finished after {exchange.total:.3g} s, while {exchange.phase}")
    if exchange.phase == "looking up the host name":
        silence = f"no answer from the resolver after {terms.connect:.3g} s"
        return ProxyError(f"{place}: the proxy {proxy}: {silence}") if proxy else DNSError(f"{place}: {silence}")
    if exchange.phase == "connecting":
        if proxy and not exchange.tunnelled:
            return ProxyError(f"{place}: the proxy {proxy}: no connection through it after {terms.connect:.3g} s")
        way = f" through the proxy {proxy}" if proxy else ""
        return ConnectError(f"{place}: no connection{way} after {terms.connect:.3g} s")
    return DeadlineExceeded(f"{place}: no byte for {terms.read:.3g} s, while {exchange.phase}")


def _proxy_trouble(causes: list[BaseException]) -> str:
    if any(isinstance(cause, u3.NameResolutionError) for cause in causes):
        return f"its host name can't be resolved: {_line(causes[-1])}"
    if any(isinstance(cause, (ssl.SSLError, CertificateError)) for cause in causes):
        return _line(trouble(_tls_cause(causes)))
    return _line(causes[-1])


def _tls_cause(causes: list[BaseException]) -> BaseException:
    return next((cause for cause in causes if isinstance(cause, (ssl.SSLError, CertificateError))), causes[-1])


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what it was made of: its cause, or the error that urllib3 passed on as an argument."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        passed_on = next((arg for arg in current.args if isinstance(arg, BaseException)), None)
        current = current.__cause__ or passed_on


def _line(error: BaseException | str) -> str:
    """One printable line: a hostile server's bytes may be quoted in it."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
    return _UNPRINTABLE.sub("?", text)[:_LONGEST]
