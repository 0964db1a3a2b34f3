"""Where the replies of a process's workers come from: the network, and the stores around it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from scrapekit.download import Downloader, Source
from scrapekit.errors import ArchiveError, CacheError, SpiderError
from scrapekit.project.apart import check_apart
from scrapekit.settings import BackoffSettings, Settings, mask
from scrapekit.spider import Spider

if TYPE_CHECKING:
    from scrapekit.store import CacheFiles


def prepare(settings: Settings, *, resume: bool) -> Callable[[], None]:
    """What is done once a crawl, before there are workers. In the engine's process.

    Returns:
        What is to be called when there are no workers any more.

    Raises:
        ConfigError: A store can't be used as it was asked for.
    """
    kind, record, replay = settings.fleet.kind, settings.archive.record, settings.archive.replay
    outputs = [output.path for output in settings.export.outputs]
    check_apart({"items": outputs, "the archive": filter(None, [record, replay])})
    if replay is not None:
        if kind != "threads":
            # Of what was recorded twice, such as an error and what came after it, each process would begin anew.
            raise ArchiveError(f"an archive is replayed in threads: use --fleet threads, not {kind}")
        return _nothing
    if settings.cache.mode != "off":
        if kind.startswith("ray"):
            raise CacheError(
                "the cache is on the disk of this machine, where actors need not be: leave out cache or fleet ray"
            )
        _cache_files(settings).prune(settings.cache.max_size)
    if record is None:
        return _nothing
    if kind.startswith("ray"):
        raise ArchiveError(
            "an archive is a file of this machine, where actors need not be: leave out --record or fleet ray"
        )
    archive = _archives()[0]
    archive.begin(record, resume=resume)
    return partial(archive.end, record)


def unhurried(settings: Settings) -> Settings:
    """The settings without what spares hosts, where an archive is replayed: there are none to be spared. Pure."""
    if settings.archive.replay is None:
        return settings
    return replace(
        settings,
        throttle=replace(settings.throttle, delay=0.0, domains={}),
        retry=replace(settings.retry, backoff=BackoffSettings(initial=0.0, max=0.0), max_retry_after=0.0),
        robots=replace(settings.robots, max_crawl_delay=0.0),
    )


def source_of(spider: Spider, settings: Settings) -> Source:
    """The source that all threads of a process share.

    Raises:
        ConfigError: Something can't be used as it was given.
    """
    http, cache, archive = settings.http, settings.cache, settings.archive
    if archive.replay is not None:
        replaying: Source = _archives()[1].Replaying(
            archive.replay, spool_above=http.spool_above, spool_dir=http.spool_dir
        )
        return replaying
    downloader = _downloader(spider, settings)
    source: Source = downloader
    if cache.mode != "off":
        from scrapekit.store import DevCache, HttpCache  # noqa: PLC0415  (for those who want it)

        files = _cache_files(settings)
        source = DevCache(source, files) if cache.mode == "dev" else HttpCache(source, files, downloader.headers)
    if archive.record is not None:
        # Above the cache: what the spider has seen is recorded, wherever it came from.
        source = _archives()[1].Recording(source, archive.record, downloader.headers, _told)
    return source


def _told(name: str, value: str) -> str | None:
    """What an archive may tell of a request header."""
    return value if mask(f"http.headers.{name}", value) == value else None


def _nothing() -> None:
    """What there is to do where nothing was prepared."""


def _archives() -> tuple[Any, Any]:
    try:
        from scrapekit.store import archive, tape  # noqa: PLC0415  (as above)
    except ImportError as error:
        raise ArchiveError(
            "archives need warcio, which is not installed here: in the checkout of scrapekit, pip install '.[warc]'"
        ) from error
    return archive, tape


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
