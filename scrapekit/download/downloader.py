"""The :class:`Downloader`: one request over the network, fully read or failed for one stated reason."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable, Mapping
from functools import cache, partial
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPHeaderDict
from urllib3.exceptions import ProtocolError as BrokenConnection
from urllib3.exceptions import ProxyError as BrokenProxy
from urllib3.exceptions import SSLError
from urllib3.util import Retry

from scrapekit.download.body import read_body
from scrapekit.download.exchange import Exchange, Terms
from scrapekit.download.failure import failure
from scrapekit.download.guard import check_name
from scrapekit.download.headers import DEFAULT_HEADERS, headers_for, merged
from scrapekit.download.pools import Pools
from scrapekit.download.proxies import Proxy, proxy_of
from scrapekit.download.resolver import Addresses, Resolver, system_resolve
from scrapekit.download.stats import PoolStats
from scrapekit.download.tls import shareable, tls_context
from scrapekit.errors import ProxyError
from scrapekit.messages import Request, Spool

_log = logging.getLogger(__name__)
_PORT = re.compile(r":\d+$").search
_NEVER = Retry(False, redirect=False)  # urllib3 would make one per request
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110 §9.2.2, of those that Request has
# urllib3's wrapper holds one of these where the server had closed the connection; by TLS, ssl's own words for it.
_DROPPED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class Reply(NamedTuple):
    """A response as it came off the network, read to its end.

    Args:
        url: The request's.
        status: The HTTP status; redirects are not followed.
        headers: Case-insensitive; several of one name are kept apart by ``getlist``.
        body: Decoded of its Content-Encoding; a large one is in a file, which whoever has the reply closes.
        elapsed: Seconds from the start of the exchange to its last byte.
        flags: What was odd: ``stale_connection`` (sent twice, because the server had closed an idle connection),
            ``bad_headers`` (a line in the header section was not a header; those after it may be missing),
            ``unknown_encoding`` (the body is still encoded), ``extra_bytes`` (there were bytes after its end),
            ``unclean_close`` (the end of the TLS connection was the end of the body, and anybody may have caused it),
            ``cut`` (its beginning was enough).
    """

    url: str
    status: int
    headers: HTTPHeaderDict
    body: bytes | Spool
    elapsed: float
    flags: tuple[str, ...]


class Downloader:
    """Fetches over one blocking pool of connections, shared by all threads. Any thread; a context manager.

    Whatever a server does, a fetch ends at its deadline, gives its connection back, and keeps to the limits of memory.

    Args:
        workers: Threads that fetch at a time.
        num_pools: Hosts whose connections stay open; default twice the workers, at least 64.
        headers: Sent with every request, besides or instead of :data:`DEFAULT_HEADERS`.
        user_agent: The User-Agent header, unless ``headers`` has one.
        connect_timeout: Seconds for the look-up of the name, TCP, a proxy's tunnel and TLS together.
        read_timeout: Seconds for one read or write.
        total_timeout: Seconds for the whole exchange, waiting for a connection included.
        pool_timeout: Seconds to wait for a connection of the pool.
        max_body: Bytes of a body, on the wire and decoded.
        max_ratio: Decoded bytes for each byte on the wire, in a body of more than 4 MiB.
        spool_above: Bytes of a body from which on it is kept in a temporary file, not in memory.
        spool_dir: Folder of that file; None for the system's.
        verify: Whether certificates must be valid. False warns once, in the log.
        ca_bundle: Path of a PEM file; default certifi's.
        client_cert: Paths of certificate and key (None: in the same file), and the key's password or None.
        ssl_context: Used as it is, instead of one made of the three before it.
        assert_hostname: The host name that certificates must be for, instead of the URL's; False for any.
        server_hostnames: By host name: the name to ask for by SNI and that certificates must be for, instead.
        fingerprints: By host name: the hex digest that the certificate must have, besides being valid; with
            ``verify=False``, instead of it.
        allow_private: Whether targets may have addresses that are not public. Proxies always may, and what they
            resolve they decide: of a target behind one, only the name as it stands is checked.
        resolve: Finds the addresses of a host name at a port, like :func:`socket.getaddrinfo`. Called in threads of
            its own, several at once; never for what is an address already.
        dns_ttl: Seconds for which what it finds is good.
        dns_timeout: Seconds to wait for it.

    Raises:
        SettingsError: A certificate file can't be used.
    """

    def __init__(
        self,
        *,
        workers: int,
        num_pools: int | None = None,
        headers: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        total_timeout: float = 120.0,
        pool_timeout: float = 30.0,
        max_body: int = 32 * 2**20,
        max_ratio: int = 250,
        spool_above: int = 8 * 2**20,
        spool_dir: str | None = None,
        verify: bool = True,
        ca_bundle: str | None = None,
        client_cert: tuple[str, str | None, str | None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        assert_hostname: str | Literal[False] | None = None,
        fingerprints: Mapping[str, str] | None = None,
        allow_private: bool = True,
        resolve: Callable[[str, int], Addresses] = system_resolve,
        dns_ttl: float = 60.0,
        dns_timeout: float = 5.0,
        server_hostnames: Mapping[str, str] | None = None,
    ) -> None:
        self._workers = workers
        self._resolver = Resolver(resolve, ttl=dns_ttl, timeout=dns_timeout)
        self._terms = Terms(
            connect_timeout, read_timeout, pool_timeout, max_body, self._resolver, not allow_private, max_ratio,
            spool_above, spool_dir,
        )  # fmt: skip
        self._total = total_timeout
        own = merged({"User-Agent": user_agent} if user_agent else {}, headers or {})
        self.headers = merged(DEFAULT_HEADERS, own)
        """What every request carries that has none of the same name."""
        context: Callable[[], ssl.SSLContext]
        self._proxy_context: Callable[[], ssl.SSLContext]
        if ssl_context is None:
            # Made when the first connection needs it: certifi's bundle takes longer to read than a page to fetch.
            context = cache(partial(tls_context, verify=verify, ca_bundle=ca_bundle, client_cert=client_cert))
            if ca_bundle is not None or client_cert is not None:
                context()  # a file that can't be used is an error at the start
            # Without the client certificate, which is for targets.
            self._proxy_context = partial(tls_context, verify=verify, ca_bundle=ca_bundle, client_cert=None)
        else:
            given = shareable(ssl_context)
            verify = given.verify_mode != ssl.CERT_NONE
            self._proxy_context = context = lambda: given
        if not verify:
            _log.warning("TLS certificates are not verified: anybody on the way can read and change what is fetched")
        self._pools = Pools(
            num_pools or max(2 * workers, 64),
            fingerprints or {},
            server_hostnames or {},
            context,
            assert_hostname=assert_hostname,
        )
        self._known_proxies: dict[str, Proxy] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fetch(
        self,
        request: Request,
        *,
        host: str,
        maxsize: int = 8,
        cookies: str | None = None,
        proxy: str | None = None,
        authorization: str | None = None,
        first: int | None = None,
        again: bool = False,  # noqa: ARG002  (for the stores that may stand before it)
    ) -> Reply:
        """Carry out one hop. Blocks, at most ``request.timeout`` or the total timeout; any thread.

        Args:
            request: What to fetch. Its headers go first: instead of default ones of the same name.
            host: The host that it is counted under in :meth:`stats`.
            maxsize: Connections that the pool of its origin may hold. The first request to an open pool decides.
            cookies: The value of the Cookie header; the request's own Cookie header goes before it, in one.
            proxy: The URL of the proxy to go through; None for ``request.proxy``, if there is one.
            authorization: The value of the Authorization header, unless the URL or the request has its own.
            first: Bytes of the body that are enough, also where they are more than ``max_body``; None for all of it.
            again: Whether an attempt has failed before, so that what a cache has of it is not what is wanted.

        Raises:
            DownloadError: A subclass says why there is no complete response. Its ``request`` is set.
        """
        exchange = Exchange(self._terms, self._total if request.timeout is None else request.timeout)
        url = request.url
        path = url.index("/", 8)
        origin, target, headers, way = url[:path], url[path:], self.headers, None
        try:
            if request.headers or cookies or authorization or "@" in origin:
                origin, headers = headers_for(request, origin, headers, cookies, authorization)
            if proxy := proxy or request.proxy:
                way = self._proxy(proxy)
                if self._terms.public_only:
                    check_name(_place(origin).rpartition(":")[0].strip("[]"))
                if way.forwards(origin):
                    target, maxsize = f"{origin}{target}", self._workers
            pool = self._pools.acquire(exchange, origin, host, maxsize, way)
            try:
                response = _send(pool, request, target, headers, exchange)
                exchange.phase = "reading the body"
                try:
                    body, decoded = read_body(response, exchange, first)
                finally:
                    if not response.closed:
                        response.close()
                    response.release_conn()  # nothing, where the end of the body did it
                if response.status == 407 and way is not None and way.forwards(origin):  # RFC 9110, 15.5.8
                    raise ProxyError(f"the proxy {way.place} wants other credentials: status 407")
            finally:
                self._pools.release(pool, exchange)
        except Exception as error:  # noqa: BLE001  (it is raised again below)
            reason = failure(error, exchange, _place(origin), maxsize, way and way.place)
            reason.request = request
            try:
                raise reason from error
            finally:
                del reason  # or it and this frame would keep each other, and what came of the body, for the collector
        flags = () if decoded and exchange.plain else _flags(exchange, decoded)
        return Reply(url, response.status, response.headers, body, exchange.elapsed, flags)

    def stats(self) -> PoolStats:
        """The connections opened, reused and in use, by host and in all. Any thread."""
        return self._pools.stats()

    def close(self) -> None:
        """Close all connections. Fetches in flight fail soon, later ones at once. Any thread; may be called twice."""
        self._pools.close()
        self._resolver.close()

    def _proxy(self, url: str) -> Proxy:
        proxy = self._known_proxies.get(url)
        if proxy is None:
            try:
                proxy = self._known_proxies.setdefault(url, proxy_of(url, self._proxy_context))
            except ValueError as error:
                raise ProxyError(f"Request.proxy {error}") from error
        return proxy


def _send(
    pool: HTTPConnectionPool, request: Request, target: str, headers: dict[str, str], exchange: Exchange
) -> BaseHTTPResponse:
    """Send the request and read the head of the response.

    A server may close an idle connection in the moment in which we use it. Then, and if nothing came back, it is sent
    once more at once, on a fresh connection (RFC 9112 §9.3.1). Every other retry is the engine's to decide.
    """
    options: dict[str, Any] = {
        "body": request.body,
        "headers": headers,
        "retries": _NEVER,
        "redirect": False,
        "assert_same_host": False,
        "timeout": exchange,
        "pool_timeout": exchange,
        "preload_content": False,
        "decode_content": False,
    }
    try:
        return pool.urlopen(request.method, target, **options)
    except (BrokenConnection, BrokenProxy, SSLError) as error:
        dropped = any(isinstance(cause, _DROPPED) for cause in error.args)
        if not (dropped and exchange.reused and not exchange.received and request.method in _IDEMPOTENT):
            raise
        exchange.attempt(fresh=True)
        return pool.urlopen(request.method, target, **options)


def _flags(exchange: Exchange, decoded: bool) -> tuple[str, ...]:
    odd = {
        "stale_connection": exchange.fresh,
        "bad_headers": exchange.defects,
        "unknown_encoding": not decoded,
        "extra_bytes": exchange.extra and not exchange.cut,
        "unclean_close": exchange.unclean,
        "cut": exchange.cut,
    }
    return tuple(flag for flag, holds in odd.items() if holds)


def _place(origin: str) -> str:
    """``host:port``, without user and password."""
    scheme, _, authority = origin.partition("://")
    place = authority.rpartition("@")[2]
    return place if _PORT(place) else f"{place}:{443 if scheme == 'https' else 80}"
