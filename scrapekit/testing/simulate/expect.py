"""What a crawl of a world must come to, worked out without the engine: a walk over the graph."""

from __future__ import annotations

from collections import Counter, deque
from urllib.parse import urlsplit

from msgspec import Struct, field

from scrapekit.testing.simulate.world import NEVER, RETRIED, SCOPE_LEFT, SHARED, TIMES, Node, World
from scrapekit.web.urls import address


class Expected(Struct):
    """What must be in the output and in the frontier at the end.

    Args:
        items: Each item as (number of its node, what it is), with how often it must be there.
        states: By number of a node, the states that its rows may have.
        levels: Links and redirects from a start request to the page that is farthest.
    """

    items: Counter[tuple[int, str]] = field(default_factory=Counter)
    states: dict[int, frozenset[str]] = field(default_factory=dict)
    levels: int = 0


def expect(world: World) -> Expected:
    """Walk over the world."""
    numbers = {address(node.url).fingerprint: number for number, node in enumerate(world.nodes)}
    hosts = {host.name: host for host in world.hosts}
    found = Expected()
    loops = _loops(world, numbers)
    queue: deque[tuple[int, int]] = deque()
    level = 0

    def admit(url: str) -> None:
        number = numbers.get(address(url).fingerprint)
        if number is not None and number not in found.states:
            found.states[number] = frozenset()
            queue.append((number, level))

    for url in world.start:
        admit(url)
    while queue:
        number, level = queue.popleft()
        level += 1
        found.levels = level
        node = world.nodes[number]
        parts = urlsplit(node.url)
        robots = hosts[parts.hostname or ""].robots
        if robots == "down" or (robots in ("rules", "delay") and parts.path.startswith("/private/")):
            found.states[number] = frozenset({"dropped"})
        elif robots == "unreachable":
            found.states[number] = _failed(found, node, number)
        elif node.lost == NEVER:
            found.states[number] = frozenset({"quarantined"})
        elif node.failures > (TIMES if node.failure in RETRIED else 0):
            found.states[number] = _failed(found, node, number)
        elif node.redirect is not None:
            if number in loops:
                found.states[number] = frozenset({"done", "failed"})
            elif address(node.redirect).host == SCOPE_LEFT:
                found.states[number] = frozenset({"dropped"})
            else:
                found.states[number] = frozenset({"done"})
            admit(node.redirect)
        elif node.hangs:
            found.states[number] = frozenset({"quarantined"})
        else:
            if not node.raises or world.keep_partial:
                for item in range(node.items):
                    found.items[number, str(item)] += 1
                if node.shared is not None:
                    found.items[SHARED, str(node.shared)] = 1
                for link in node.links:
                    admit(link)
            found.states[number] = _failed(found, node, number) if node.raises else frozenset({"done"})
    return found


def _failed(found: Expected, node: Node, number: int) -> frozenset[str]:
    if node.errback:
        found.items[number, "errback"] += 1
    return frozenset({"failed"})


def _loops(world: World, numbers: dict[bytes, int]) -> set[int]:
    """Nodes whose redirects lead back to themselves, or into such a circle."""
    follows = {}
    for number, node in enumerate(world.nodes):
        if node.redirect is not None:
            follows[number] = numbers.get(address(node.redirect).fingerprint)
    circling = set()
    for number in follows:
        seen: set[int | None] = set()
        at: int | None = number
        while at in follows and at not in seen:
            seen.add(at)
            at = follows[at]
        if at in seen:
            circling.add(number)
    return circling
