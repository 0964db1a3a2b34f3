"""The way to a Ray cluster: one connection for all crawls of this process, quiet, and ended by whoever began it."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from scrapekit.errors import ConfigError, FleetError
from scrapekit.fleet.ray import RayFleet, one_line
from scrapekit.settings import Settings

_HOST_AND_PORT = re.compile(r"([^/]+):(\d+)").fullmatch
_CONNECT_SECONDS = 10.0  # to see whether anybody is there: Ray itself would try for minutes
_OBJECT_STORE = 100_000_000  # bytes; only batches of messages pass through it
_lock = threading.Lock()  # guards what follows: the fleets that use the connection which the first of them has made
_users = 0
_address = ""  # where it leads


def ray_fleet(
    make: str,
    config: bytes,
    files: Mapping[str, bytes],
    *,
    address: str,
    settings: Settings,
    post: Callable[[Any], Any],
) -> RayFleet:
    """Actors on a cluster.

    Args:
        make: As :class:`RayFleet` has it, like ``config``, ``files`` and ``post``.
        config: As above.
        files: As above.
        address: Of the cluster, as ``ray.init`` has it. If it is empty, that in ``RAY_ADDRESS``, which jobs that were
            submitted to a cluster have; otherwise a cluster on this machine is started for this process.
        settings: ``workers`` and the section ``fleet`` are used.
        post: As above.

    Raises:
        ConfigError: Ray is not installed, or the cluster can't be reached; one line.
        SpiderError: An actor can't start, for instance because it can't import the spider; one line.
        FleetError: No node had room for an actor in time.
    """
    given = settings.fleet
    totals = {name: amount * given.actors for name, amount in given.resources.items()}
    ray, leave = _connect(address, math.ceil(given.cpus_per_actor * given.actors), totals)
    try:
        return RayFleet(
            ray,
            make,
            config,
            files,
            actors=given.actors,
            cpus=given.cpus_per_actor,
            resources=given.resources,
            workers=settings.workers,
            patience=given.start_timeout,
            post=post,
            leave=leave,
        )
    except FleetError as error:
        leave()
        needs = {"CPU": given.cpus_per_actor, **given.resources}
        wanted = " and ".join(f"{amount:g} {name}" for name, amount in needs.items())
        raise FleetError(f"{error}: has a node of the cluster {wanted} free?") from error
    except BaseException:
        leave()
        raise


def _connect(address: str, cpus: int, resources: Mapping[str, float]) -> tuple[Any, Callable[[], None]]:
    """Ray, connected to a cluster, and what to call in the end. A process has one connection: crawls share it."""
    global _users, _address  # noqa: PLW0603  (it is Ray's state that is global)
    ray = _import_ray()
    address = address or os.environ.get("RAY_ADDRESS", "") or "local"
    with _lock:
        if not _users:
            if ray.is_initialized():  # by the program that uses us
                return ray, _nothing
            _init(ray, address, cpus, resources)
            _address = address
        elif address != _address:
            raise ConfigError(
                f"a crawl of this process uses the Ray cluster {_address!r}, so another one can't use {address!r}: "
                "Ray has one connection a process"
            )
        _users += 1

    def leave() -> None:
        global _users  # noqa: PLW0603
        with _lock:
            _users -= 1
            if not _users:
                ray.shutdown()

    return ray, leave


def _nothing() -> None:
    """What it takes to leave a connection that is not ours."""


def _import_ray() -> Any:
    # Its driver would print what happens on the nodes to stdout, where the items may go, and send statistics home.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return import_module("ray")
    except ImportError as error:
        raise ConfigError(
            "fleet ray needs Ray, which is not installed here: in the checkout of scrapekit, pip install '.[ray]'"
        ) from error


def _init(ray: Any, address: str, cpus: int, resources: Mapping[str, float]) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        options |= {
            "num_cpus": max(cpus, os.cpu_count() or 1),  # they are what Ray counts: the actors always find room here
            "resources": dict(resources),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE,
        }
    try:
        if found := _HOST_AND_PORT(address):
            socket.create_connection((found[1].strip("[]"), int(found[2])), _CONNECT_SECONDS).close()
        with _signals_as_they_are():
            ray.init(address, **options)
    except Exception as error:
        what = "Ray can't be started here" if address == "local" else f"can't connect to the Ray cluster at {address}"
        refused = address == "local" or getattr(error, "errno", None) or os.environ.get("RAY_AUTH_MODE")
        hint = "" if refused else " (does it ask for a token? then set RAY_AUTH_MODE=token)"
        raise ConfigError(f"{what}: {one_line(error)}{hint}") from error


@contextlib.contextmanager
def _signals_as_they_are() -> Iterator[None]:
    """Undo what ``ray.init`` does to SIGTERM: whoever runs the crawl decides what it means."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
