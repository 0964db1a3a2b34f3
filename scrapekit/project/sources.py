"""Where the replies of a process's workers come from: the network, and the stores around it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from scrapekit.download import Downloader, Source
from scrapekit.errors import CacheError, SpiderError
from scrapekit.settings import Settings
from scrapekit.spider import Spider

if TYPE_CHECKING:
    from scrapekit.store import CacheFiles


def prepare(settings: Settings) -> None:
    """What is done once a crawl, before there are workers. In the engine's process.

    Raises:
        ConfigError: A store can't be used as it was asked for.
    """
    if settings.cache.mode == "off":
        return
    if settings.fleet.kind.startswith("ray"):
        raise CacheError(
            "the cache is on the disk of this machine, where actors need not be: leave out cache or fleet ray"
        )
    _cache_files(settings).prune(settings.cache.max_size)


def source_of(spider: Spider, settings: Settings) -> Source:
    """The source that all threads of a process share.

    Raises:
        ConfigError: Something can't be used as it was given.
    """
    downloader = _downloader(spider, settings)
    if settings.cache.mode == "off":
        return downloader
    from scrapekit.store import DevCache, HttpCache  # noqa: PLC0415  (for those who want it)

    files = _cache_files(settings)
    if settings.cache.mode == "dev":
        return DevCache(downloader, files)
    return HttpCache(downloader, files, downloader.headers)


def _cache_files(settings: Settings) -> CacheFiles:
    from scrapekit.store import CacheFiles  # noqa: PLC0415  (as above)

    http = settings.http
    return CacheFiles(settings.cache.path, spool_above=http.spool_above, spool_dir=http.spool_dir)


def _downloader(spider: Spider, settings: Settings) -> Downloader:
    http = settings.http
    cert = http.client_cert
    context = spider.ssl_context()
    if context is not None and not isinstance(context, ssl.SSLContext):
        raise SpiderError(f"{type(spider).__name__}.ssl_context() must return an ssl.SSLContext, not {context!r:.80}")
    return Downloader(
        workers=settings.workers,
        num_pools=settings.num_pools,
        headers=http.headers,
        user_agent=http.user_agent,
        connect_timeout=http.timeout.connect,
        read_timeout=http.timeout.read,
        total_timeout=http.timeout.total,
        pool_timeout=http.timeout.pool,
        max_body=http.max_body,
        max_ratio=http.max_ratio,
        spool_above=http.spool_above,
        spool_dir=http.spool_dir,
        verify=http.verify,
        ca_bundle=http.ca_bundle,
        client_cert=None if cert.cert is None else (cert.cert, cert.key, cert.password),
        ssl_context=context,
        assert_hostname=http.assert_hostname,
        server_hostnames=http.server_hostnames,
        fingerprints=http.fingerprints,
        allow_private=http.allow_private,
        resolve=spider.resolve,
        dns_ttl=http.dns.ttl,
        dns_timeout=http.dns.timeout,
    )
