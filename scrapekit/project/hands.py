"""Which hands a crawl gets: threads, or processes or actors that build the same worker for themselves."""

from __future__ import annotations

import inspect
import json
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from scrapekit.download import PoolStats, Source
from scrapekit.errors import SpiderError
from scrapekit.fleet import ThreadFleet, Worker
from scrapekit.messages import Response
from scrapekit.parse import Parsers
from scrapekit.project.sources import prepare, source_of
from scrapekit.project.spiders import load_spider, make_spider
from scrapekit.safe import LOG_FORMAT
from scrapekit.settings import Settings
from scrapekit.spider import Spider

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from scrapekit.engine import Fleet

_CLOSE_SECONDS = 5.0  # that the workers get to end, once the pool under them is closed
_HURRY_SECONDS = 0.5


class Hands:
    """The fleet of one crawl, and what lies under it.

    Args:
        spider: Whose callbacks the workers run.
        settings: ``fleet.kind`` and ``workers`` say which hands and how many.
        post: Puts what they have to say into the engine's inbox.
        keep: Whether responses are handed over as they are; only threads can.
        resume: Whether the crawl goes on, and with it the archive that it is recorded to.
    """

    def __init__(
        self,
        spider: Spider,
        settings: Settings,
        post: Callable[[Any], Any],
        *,
        keep: bool = False,
        resume: bool = False,
    ) -> None:
        self._patience = _CLOSE_SECONDS
        kind, _, detail = settings.fleet.kind.partition(":")
        self._put_away: Callable[[], None] | None = prepare(settings, resume=resume)
        self.fleet: Fleet
        """The engine's side of it."""
        self._source: Source | None
        self._stats: Callable[[], PoolStats]
        if kind == "processes" and not keep:
            from scrapekit.fleet.processes import ProcessFleet  # noqa: PLC0415  (multiprocessing, for those who want it)

            processes = ProcessFleet(
                start,
                msgspec.json.encode(_order(spider, settings)),
                processes=int(detail),
                workers=settings.workers,
                post=post,
                method=settings.fleet.start_method,
            )
            self.fleet, self._stats = processes, processes.stats
            self._source = None
        elif kind == "ray" and not keep:
            from scrapekit.project.cluster import ray_fleet  # noqa: PLC0415  (as above)
            from scrapekit.project.luggage import pack  # noqa: PLC0415

            order = _order(spider, settings)
            path, files = pack(Path(os.fsdecode(order.file)), Path.cwd())
            order.file = os.fsencode(path)
            actors = ray_fleet(
                f"{__name__}:{build.__name__}",
                msgspec.json.encode(order),
                files,
                address=detail,
                settings=settings,
                post=post,
            )
            self.fleet, self._stats = actors, actors.stats
            self._source = None
        else:
            worker, self._source = build_worker(spider, settings, keep=keep)
            self.fleet, self._stats = ThreadFleet(worker, settings.workers, post), self._source.stats

    def finish(self) -> PoolStats:
        """The statistics of the pools, once nothing is to be fetched any more."""
        if self._source is not None:
            return self._stats()
        self.close()  # processes and actors tell theirs when they end
        return self._stats()

    def hurry(self) -> None:
        """Let :meth:`close` hardly wait for callbacks that run. Any thread, and signal handlers."""
        self._patience = _HURRY_SECONDS

    def close(self) -> None:
        """End the workers, and close their connections; idempotent."""
        if self._source is not None:
            self._source.close()  # first, so that no thread goes on waiting for a server
        self.fleet.close(self._patience)
        put_away, self._put_away = self._put_away, None
        if put_away is not None:
            put_away()


class Order(msgspec.Struct):
    """What worker processes and actors are told: where the spider's class stands, how to make it and its worker."""

    file: bytes  # a path, in whatever encoding the file system has
    name: str
    arguments: dict[str, Any]
    settings: dict[str, Any]
    log_level: int


def start(pipe: Connection, workers: int, config: bytes) -> None:
    """The main function of a worker process."""
    from scrapekit.fleet.child import serve  # noqa: PLC0415  (as above)

    serve(pipe, workers, partial(build, config))


def build(config: bytes) -> tuple[Worker, Source]:
    """What an :class:`Order` asks for. The spider's file is looked up from the working directory."""
    order = msgspec.json.decode(config, type=Order)
    handler = logging.StreamHandler()
    handler.setFormatter(LOG_FORMAT)
    logging.basicConfig(level=order.log_level, handlers=[handler])
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # what it warns of we report ourselves
    cls = load_spider(f"{os.fsdecode(order.file)}:{order.name}", Path.cwd())
    spider = make_spider(cls, order.arguments)
    return build_worker(spider, msgspec.convert(order.settings, Settings))


def build_worker(spider: Spider, settings: Settings, *, keep: bool = False) -> tuple[Worker, Source]:
    """The worker that all threads of a process share, and where its replies come from."""
    parsers: Callable[[Response], Any] = Parsers(spider.parsers)
    source = source_of(spider, settings)
    spider.ignored_parameters = settings.crawl.ignore_parameters
    worker = Worker(
        spider,
        source,
        parsers,
        keep_partial=settings.crawl.keep_partial_items,
        keep=keep,
        secret_headers=settings.http.secret_headers,
    )
    return worker, source


def _order(spider: Spider, settings: Settings) -> Order:
    cls = type(spider)
    try:
        file = inspect.getfile(cls)
        if not Path(file).is_file() or cls.__qualname__ != cls.__name__:
            raise TypeError("it is not at the top of a file")
    except (TypeError, OSError) as error:
        raise SpiderError(
            f"worker processes can't find spider {cls.__name__!r} again: {error}; define it at the top of a .py file"
        ) from error
    try:
        arguments = json.loads(json.dumps(spider.arguments))
        msgspec.json.encode(arguments)  # no lone surrogates
    except (TypeError, ValueError) as error:
        raise SpiderError(
            f"arguments of spider {cls.name!r} must be JSON to reach worker processes: {error}"
        ) from error
    level = logging.getLogger().getEffectiveLevel()
    # The engine keeps the list of proxies and the credentials to itself: each lease has what its hop needs.
    told = replace(settings, http=replace(settings.http, proxies={}, auth={}))
    return Order(os.fsencode(file), cls.__name__, arguments, msgspec.to_builtins(told), level)
