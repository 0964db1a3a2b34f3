"""The :class:`Opener` of a kind of output, and the :class:`Terms` on which it opens one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from scrapekit.export.formats import Options
from scrapekit.export.sink import Sink

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://").match
_DATABASES = {"sqlite", "postgresql", "postgres", "mysql", "mariadb", "oracle", "mssql"}
"""Schemes of SQLAlchemy; others have a ``+`` before their driver. All other schemes are fsspec's."""


class Terms(NamedTuple):
    """On which terms an output is opened.

    Args:
        overwrite: True empties it; False begins at its end.
        parents: True creates the folders that it lies in.
        fsync: True makes :meth:`Sink.flush` wait for the disk, so that the output survives the machine.
        spool: Where the lines lie until :meth:`Sink.finish`, for formats that are made at the end; None for a file
            beside the target, which goes when the output is closed.
        options: Of these formats.
    """

    overwrite: bool = False
    parents: bool = False
    fsync: bool = False
    spool: Path | None = None
    options: Options = Options()


class Opener(Protocol):
    """Opens the outputs of one kind. ``opener_of`` in output.py says which targets are of which kind."""

    def open(self, target: str, terms: Terms) -> Sink:
        """Open the output of a new crawl, locked against others where that can be.

        Raises:
            OutputError: One line: what can't be used, why, and what to do.
        """
        ...

    def resume(self, target: str, committed: Mapping[str, Any], terms: Terms, *, whole: bool) -> Sink:
        """Open the output of a crawl that goes on, cut back to the ``committed`` position.

        Args:
            target: What :meth:`open` was given.
            committed: What :meth:`Sink.position` returned when it was last stored.
            terms: As for :meth:`open`.
            whole: The crawl ended in order, so whatever follows was written by somebody else, and is not cut off.

        Raises:
            OutputMismatch: It does not hold what was committed, or more where it was whole.
            OutputError: It can't be opened.
        """
        ...

    def probe(self, target: str, terms: Terms) -> None:
        """Find out whether an output could be opened that is not wanted yet. Raises OutputError where it could not."""
        ...

    def find(self, pattern: str) -> list[str]:
        """What is there already, of outputs whose names a pattern of :mod:`glob` has, and can't be appended to."""
        ...


def scheme_of(target: str | Path) -> str:
    """The scheme of a URL, in lower case (RFC 3986, 3.1); empty for a path and for ``-``."""
    found = _SCHEME(str(target))
    return found[1].lower() if found else ""


def is_table(target: str | Path) -> bool:
    """Whether it is a table of a database. Jobs can share one: each knows its rows."""
    scheme = scheme_of(target)
    return "+" in scheme or scheme in _DATABASES
