"""Makes a failing world small, so that its trace can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from scrapekit.testing.simulate.world import Node, SimHost, World

_MOST_TRIES = 2000
Part = TypeVar("Part", SimHost, Node)


def shrink(world: World, fails: Callable[[World], bool]) -> World:
    """The smallest world that still fails, as far as taking things away one by one finds it.

    Args:
        world: Fails.
        fails: Whether a world does.
    """
    tries = 0
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(world):
            tries += 1
            if tries > _MOST_TRIES:
                return world
            if fails(candidate):
                world, smaller = candidate, True
                break
    return world


def _smaller(world: World) -> Iterator[World]:
    """Worlds with one thing less, those that lose most first."""
    for name in ("nodes", "kills", "stops", "pauses", "start"):
        values = getattr(world, name)
        for size in (len(values) // 2, 1):
            for at in range(0, len(values), size) if size else ():
                rest = values[:at] + values[at + size :]
                if rest or name not in ("nodes", "start"):
                    yield msgspec.structs.replace(world, **{name: rest})
    for name, plain in (("workers", 1), ("adaptive", False), ("keep_partial", False), ("latency", (0.1, 0.1)),
                        ("window", 64), ("max_hosts", 64)):  # fmt: skip
        if getattr(world, name) != plain:
            yield msgspec.structs.replace(world, **{name: plain})
    for at, kill in enumerate(world.kills):
        for less in (kill // 2, kill - 1):
            if less > 0:
                yield msgspec.structs.replace(world, kills=[*world.kills[:at], less, *world.kills[at + 1 :]])
    used = {node.url.split("/")[2] for node in world.nodes}
    kept = [host for host in world.hosts if host.name in used]
    if len(kept) < len(world.hosts):
        yield msgspec.structs.replace(world, hosts=kept)
    for at, host in enumerate(world.hosts):
        for simpler in _plainer(host, SimHost(host.name)):
            yield msgspec.structs.replace(world, hosts=[*world.hosts[:at], simpler, *world.hosts[at + 1 :]])
    for at, node in enumerate(world.nodes):
        for link in range(len(node.links)):
            less_links = msgspec.structs.replace(node, links=node.links[:link] + node.links[link + 1 :])
            yield msgspec.structs.replace(world, nodes=[*world.nodes[:at], less_links, *world.nodes[at + 1 :]])
        for plainer in _plainer(node, Node(node.url, links=node.links)):
            yield msgspec.structs.replace(world, nodes=[*world.nodes[:at], plainer, *world.nodes[at + 1 :]])


def _plainer(thing: Part, plain: Part) -> Iterator[Part]:
    for name in thing.__struct_fields__:
        if getattr(thing, name) != getattr(plain, name):
            yield msgspec.structs.replace(thing, **{name: getattr(plain, name)})
