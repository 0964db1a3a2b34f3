"""Which outputs an item goes to, decided by the worker that has it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NULL = msgspec.Raw(b"null")
_LONGEST = 100  # characters of a kind, in the name of a file


class Filter(NamedTuple):
    """Which items an output takes; all that nothing here keeps out.

    Args:
        items: Names of classes, or of those that they inherit from; ``dict`` for plain dicts. Empty for all.
        spiders: Names of spiders. Empty for all.
        having: Fields that an item must have, not null.
        without: Fields that it must not have, or null.
        by_kind: Whether each kind of items has a file of its own.
    """

    items: Sequence[str] = ()
    spiders: Sequence[str] = ()
    having: Sequence[str] = ()
    without: Sequence[str] = ()
    by_kind: bool = False


class Router:
    """Says by a *route* which outputs an item goes to. Any thread.

    A route is text that :func:`ways` reads again: engine and fleet only carry it along.

    Args:
        filters: Those of the outputs, in their order.
        spider: Whose items these are.
    """

    def __init__(self, filters: Sequence[Filter], spider: str) -> None:
        self._filters = [
            (number, each) for number, each in enumerate(filters) if not each.spiders or spider in each.spiders
        ]
        self._known: dict[type, tuple[str, list[tuple[str, Filter]]]] = {}

    def __call__(self, item: Any, line: bytes) -> str:
        """The route of an item, which has become this line."""
        kind = type(item)
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = self._of_kind(kind)
        route, open_ones = known
        if open_ones:
            fields = {name for name, value in _fields_of(line).items() if value != _NULL}
            route = ",".join(
                way for way, each in open_ones if fields.issuperset(each.having) and fields.isdisjoint(each.without)
            )
        return route

    def _of_kind(self, kind: type) -> tuple[str, list[tuple[str, Filter]]]:
        """The route of all items of a class; where it depends on their fields, the ways that are open to them."""
        names = {cls.__name__ for cls in kind.__mro__}
        found = [
            (f"{number}:{_file_name(kind.__name__)}" if each.by_kind else str(number), each)
            for number, each in self._filters
            if not each.items or not names.isdisjoint(each.items)
        ]
        if any(each.having or each.without for _, each in found):
            return "", found
        return ",".join(way for way, _ in found), []


def router_of(filters: Sequence[Filter], spider: str) -> Router | None:
    """The router of a spider's items; None where each goes to all outputs, so that nothing need be said. Pure."""
    return Router(filters, spider) if is_routed(filters) else None


def is_routed(filters: Sequence[Filter]) -> bool:
    """Whether it must be said of an item which outputs it goes to. Pure."""
    return any(each != Filter() for each in filters)


def ways(route: str) -> list[tuple[int, str]]:
    """The outputs that a route names, by number, with the kind of the item where that output asks for it. Pure."""
    found = (way.partition(":") for way in route.split(",") if way)
    return [(int(number), kind) for number, _, kind in found]


def _file_name(kind: str) -> str:
    return re.sub(r"[^\w.-]", "_", kind).lstrip(".")[:_LONGEST] or "_"
