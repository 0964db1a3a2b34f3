"""What docs/settings.md says of a key: the one place where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple

from scrapekit.cli.shipped import shipped
from scrapekit.errors import SettingsError

_ROW = re.compile(r"\| `([a-z_.*]+)` \| (.+?) \| (.+?) \| (.+) \|")


class Explained(NamedTuple):
    """A row of the reference: the key, what its value must be, its default and its meaning, without the markup."""

    key: str
    must: str
    default: str
    meaning: str


def explain(asked: str) -> list[Explained]:
    """The rows for a key, ``throttle.delay`` or ``throttle.domains.example.org.delay``, or for a whole section.

    Raises:
        SettingsError: There is no such key.
    """
    rows = list(_rows())
    found = [row for row in rows if row.key == asked]
    found = found or [row for row in rows if "*" in row.key and fnmatchcase(asked, row.key)][-1:]
    found = found or [row for row in rows if row.key.startswith(f"{asked.rstrip('.*')}.")]
    if found:
        return found
    keys = [row.key for row in rows]
    last = {key.rpartition(".")[2]: key for key in reversed(keys)}
    near = get_close_matches(asked, keys, 1, 0.7) or [last[each] for each in get_close_matches(asked, last, 1, 0.7)]
    hint = f"did you mean {near[0]!r}?" if near else "'scrapekit settings' lists them all"
    raise SettingsError(f"there is no setting {asked!r}: {hint}")


def keys() -> list[str]:
    """All settings with a name of their own, and the sections that they stand in."""
    parts = [row.key.partition(".*")[0].split(".") for row in _rows()]
    return [".".join(part[:count]) for part in parts for count in range(1, len(part) + 1)]


def _rows() -> Iterator[Explained]:
    for line in shipped("docs/settings.md").splitlines():
        if row := _ROW.fullmatch(line):
            yield Explained(*map(_plain, row.groups()))


def _plain(text: str) -> str:
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "")
