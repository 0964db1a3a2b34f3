"""Which hands a crawl gets: threads, or processes or actors that build the same worker for themselves."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from scrapekit.download import PoolStats, Source
from scrapekit.errors import SpiderError
from scrapekit.export import router_of
from scrapekit.fleet import AnyWorker, Several, ThreadFleet, Worker
from scrapekit.messages import Response
from scrapekit.parse import Parsers
from scrapekit.project.naming import filters_of
from scrapekit.project.sources import prepare, source_of
from scrapekit.project.spiders import file_of, load_spider, make_spider
from scrapekit.settings import ExportSettings, FleetSettings, Settings, UiSettings
from scrapekit.spider import Spider

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from scrapekit.engine import Fleet
    from scrapekit.fleet.crew import Crew

_CLOSE_SECONDS = 5.0  # that the workers get to end, once the pool under them is closed
_HURRY_SECONDS = 0.5

Casts = Mapping[str, tuple[Spider, Settings]]
"""Spiders with the settings that hold for each, by name, which is empty where it is the only one."""


class Hands:
    """The fleet of one crawl, and what lies under it.

    Args:
        casts: Whose callbacks the workers run.
        settings: Those of the crawl as a whole: ``fleet.kind`` and ``workers`` say which hands and how many.
        post: Puts what they have to say into the engine's inbox.
        keep: Whether responses are handed over as they are; only threads can.
        resume: Whether the crawl goes on, and with it the archive that it is recorded to.
    """

    def __init__(
        self,
        casts: Casts,
        settings: Settings,
        post: Callable[[Any], Any],
        *,
        keep: bool = False,
        resume: bool = False,
    ) -> None:
        self._patience = _CLOSE_SECONDS
        if keep:
            settings = replace(settings, fleet=FleetSettings())
        put_away = prepare(settings, resume=resume)
        self._put_away: Callable[[], None] | None = put_away
        self._source: Source | None = None
        self._stats: Callable[[], PoolStats]
        self.fleet: Fleet
        """The engine's side of it."""
        try:
            if settings.fleet.kind == "threads":
                worker, self._source = build_worker(casts, settings, keep=keep)
                self.fleet, self._stats = ThreadFleet(worker, settings.workers, post), self._source.stats
            else:
                self.fleet = crew = _crew(casts, settings, post)
                self._stats = crew.stats
        except BaseException:
            put_away()
            raise

    def pool_stats(self) -> PoolStats:
        """The statistics of the pools now; of processes and actors as of a second ago. Any thread."""
        return self._stats()

    def finish(self) -> PoolStats:
        """The statistics of the pools, once nothing is to be fetched any more."""
        if self._source is not None:
            return self._stats()
        self.close()  # processes and actors have told all when they have ended
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


def _crew(casts: Casts, settings: Settings, post: Callable[[Any], Any]) -> Crew:
    """Processes, or actors on a cluster."""
    kind, _, detail = settings.fleet.kind.partition(":")
    order = _order(casts, settings)
    if kind == "processes":
        from scrapekit.fleet.processes import ProcessFleet  # noqa: PLC0415  (multiprocessing, for those who want it)

        return ProcessFleet(
            start,
            msgspec.json.encode(order),
            processes=int(detail),
            workers=settings.workers,
            post=post,
            method=settings.fleet.start_method,
        )
    from scrapekit.project.cluster import ray_fleet  # noqa: PLC0415  (as above)
    from scrapekit.project.luggage import check_folders  # noqa: PLC0415  (as above)

    for spider, _ in casts.values():
        check_folders(spider)
    files = _pack(order)
    make = f"{__name__}:{build.__name__}"
    return ray_fleet(make, msgspec.json.encode(order), files, address=detail, settings=settings, post=post)


class Role(msgspec.Struct):
    """Where a spider's class stands, how to make it, and its own settings."""

    owner: str
    file: bytes  # a path, in whatever encoding the file system has
    name: str
    arguments: dict[str, Any]
    settings: dict[str, Any]


class Order(msgspec.Struct):
    """What worker processes and actors are told: which spiders there are, and how to make their worker."""

    roles: list[Role]
    settings: dict[str, Any]
    log_level: int


def start(pipe: Connection, workers: int, config: bytes) -> None:
    """The main function of a worker process."""
    from scrapekit.fleet.child import serve  # noqa: PLC0415  (as above)

    serve(pipe, workers, partial(build, config))


def build(config: bytes) -> tuple[AnyWorker, Source]:
    """What an :class:`Order` asks for. The spiders' files are looked up from the working directory."""
    order = msgspec.json.decode(config, type=Order)
    logging.getLogger().setLevel(order.log_level)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # what it warns of we report ourselves
    casts = {}
    for role in order.roles:
        cls = load_spider(f"{os.fsdecode(role.file)}:{role.name}", Path.cwd())
        casts[role.owner] = make_spider(cls, role.arguments), msgspec.convert(role.settings, Settings)
    return build_worker(casts, msgspec.convert(order.settings, Settings))


def build_worker(casts: Casts, settings: Settings, *, keep: bool = False) -> tuple[AnyWorker, Source]:
    """The worker that all threads of a process share, and where its replies come from."""
    source = source_of(next(iter(casts.values()))[0], settings)  # several spiders have the same methods for that
    filters = filters_of(settings.export.outputs)
    workers = {}
    for owner, (spider, own) in casts.items():
        parsers: Callable[[Response], Any] = Parsers(spider.parsers)
        spider.ignored_parameters = own.crawl.ignore_parameters
        workers[owner] = Worker(
            spider,
            source,
            parsers,
            keep_partial=own.crawl.keep_partial_items,
            keep=keep,
            secret_headers=own.http.secret_headers,
            route=router_of(filters, spider.name),
        )
    return workers[""] if "" in workers else Several(workers), source


def _order(casts: Casts, settings: Settings) -> Order:
    roles = [_role(owner, spider, own) for owner, (spider, own) in casts.items()]
    return Order(roles, _told(settings), logging.getLogger().getEffectiveLevel())


def _pack(order: Order) -> dict[str, bytes]:
    """The code of all spiders, by path; the order is told their places in it."""
    from scrapekit.project.luggage import pack  # noqa: PLC0415  (for those who go to other machines)

    files: dict[str, bytes] = {}
    for role in order.roles:
        path, code = pack(Path(os.fsdecode(role.file)), Path.cwd())
        for name in code.keys() & files.keys():
            if files[name] != code[name]:
                raise SpiderError(
                    f"spiders of two folders have a file {name} each, and they differ: put all of them into the project"
                )
        role.file = os.fsencode(path)
        files |= code
    return files


def _told(settings: Settings) -> dict[str, Any]:
    """The settings without what the engine keeps to itself: each lease has the proxy and credentials of its hop.

    Of outputs, whose URLs may have passwords, workers are to know which items go there, and whether by their kind.
    """
    http = replace(settings.http, proxies={}, auth={})
    outputs = [replace(each, path="{item}" if "{item}" in each.path else "-") for each in settings.export.outputs]
    export = ExportSettings(outputs=tuple(outputs))
    told: dict[str, Any] = msgspec.to_builtins(replace(settings, http=http, export=export, ui=UiSettings()))
    return told


def _role(owner: str, spider: Spider, settings: Settings) -> Role:
    cls = type(spider)
    try:
        file = file_of(cls)
        if not file.is_file() or cls.__qualname__ != cls.__name__:
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
    return Role(owner, os.fsencode(file), cls.__name__, arguments, _told(settings))
