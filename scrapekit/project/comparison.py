"""Items that were expected beside those that came: what changed, what is missing, what is new. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

Item = dict[str, Any]

_SHOWN = 50  # of each kind
_WIDTH = 160  # characters of one value or item
_COMMON = 50  # a value that so many items share says nothing about which of them belong together


class Difference(NamedTuple):
    """How two lists of items differ, whatever their order.

    Args:
        changed: Pairs of an expected item and the one that came in its place, which have some fields in common.
        missing: Expected items that did not come.
        new: Items that came unexpectedly.
    """

    changed: list[tuple[Item, Item]]
    missing: list[Item]
    new: list[Item]

    @property
    def none(self) -> bool:
        """Whether there is none."""
        return not any(self)

    @property
    def summary(self) -> str:
        """The numbers, as ``1 changed, 2 missing``."""
        counts = {"changed": len(self.changed), "missing": len(self.missing), "new": len(self.new)}
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count)

    def text(self) -> str:
        """For people: one line for each item, and one for each field that changed. Safe to show."""
        lines = []
        for before, after in self.changed[:_SHOWN]:
            lines.append(f"~ {_json({name: value for name, value in before.items() if _kept(name, before, after)})}")
            lines += _fields(before, after)
        lines += [f"- {_json(item)}" for item in self.missing[:_SHOWN]]
        lines += [f"+ {_json(item)}" for item in self.new[:_SHOWN]]
        more = sum(max(0, len(items) - _SHOWN) for items in self)
        return "\n".join([*lines, *([f"and {more} more"] if more else [])])


def canonical(value: Any) -> bytes:
    """An item, or a value of one, as JSON that is the same for what is equal (and not for 1 and True)."""
    return msgspec.json.encode(value, order="sorted")


def compare(expected: Sequence[Item], came: Sequence[Item]) -> Difference:
    """How ``came`` differs from ``expected``. An item that is expected twice must come twice."""
    before, after = (Counter(map(canonical, items)) for items in (expected, came))
    missing, new = (
        [msgspec.json.decode(text) for text in sorted(left.elements())] for left in (before - after, after - before)
    )
    partners = _partners(missing, new)
    taken = set(partners.values())
    return Difference(
        [(missing[one], new[other]) for one, other in partners.items()],
        [item for number, item in enumerate(missing) if number not in partners],
        [item for number, item in enumerate(new) if number not in taken],
    )


def _partners(missing: Sequence[Item], new: Sequence[Item]) -> dict[int, int]:
    """Which of ``new`` has taken the place of which of ``missing``: the one that shares most fields with it."""
    holders: defaultdict[tuple[str, bytes], list[int]] = defaultdict(list)
    for number, item in enumerate(new):
        for name, value in item.items():
            holders[name, canonical(value)].append(number)
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for number, item in enumerate(missing):
        shared: Counter[int] = Counter()
        for name, value in item.items():
            found = holders[name, canonical(value)]
            shared.update(found if len(found) <= _COMMON else ())
        best = max(
            (other for other in shared if other not in taken), key=lambda other: (shared[other], -other), default=None
        )
        if best is not None:
            partners[number] = best
            taken.add(best)
    return partners


def _fields(before: Item, after: Item) -> Iterator[str]:
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield f"    - {name}: {_json(before[name])}"
        elif name not in before:
            yield f"    + {name}: {_json(after[name])}"
        elif not _kept(name, before, after):
            yield f"    {name}: {_json(before[name])} -> {_json(after[name])}"


def _kept(name: str, before: Item, after: Item) -> bool:
    return name in after and canonical(before[name]) == canonical(after[name])


def _json(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."
