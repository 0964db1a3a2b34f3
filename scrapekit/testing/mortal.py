"""``python -m scrapekit.testing.mortal ARGUMENTS``: the command ``scrapekit``, which dies at a failpoint.

``SCRAPEKIT_FAILPOINT="before COMMIT:3"`` in the environment kills the process with SIGKILL when it comes there for the
third time. The package itself has no failpoints: they are put around its parts here, before the command runs.
"""

from __future__ import annotations

import os
import runpy
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scrapekit.engine import Frontier
from scrapekit.export import lines, spool
from scrapekit.export.database.connection import Connection
from scrapekit.export.database.table import Table

POINTS = (
    "before append",
    "torn append",
    "after append",
    "mid-lease",
    "before COMMIT",
    "after COMMIT",
)
AT_THE_END = ("mid-finalise", "before rename", "after rename")
LOADING = ("mid-load", "before load COMMIT", "after load COMMIT")  # of a database
VARIABLE = "SCRAPEKIT_FAILPOINT"


class Failpoint:
    """Where the process dies.

    Args:
        text: ``NAME:COUNT``.
    """

    def __init__(self, text: str) -> None:
        self.name, _, count = text.rpartition(":")
        names = (*POINTS, *AT_THE_END, *LOADING)
        if self.name not in names or not count.isdigit():
            raise SystemExit(f"{VARIABLE}={text}: not NAME:COUNT with a name of {', '.join(names)}")
        self._left = int(count)

    def reached(self, name: str) -> None:
        """The process is there: perhaps for the last time."""
        if self.due(name):
            self.die()

    def due(self, name: str) -> bool:
        """Whether it is to die here and now."""
        if name == self.name:
            self._left -= 1
        return name == self.name and self._left == 0

    @staticmethod
    def die() -> None:
        """As by ``kill -9``."""
        os.kill(os.getpid(), signal.SIGKILL)


def install(point: Failpoint) -> None:
    """Put the failpoints around the frontier's statements and the output's writes."""
    connect = sqlite3.connect

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                point.reached("before COMMIT")
            cursor = super().execute(sql, *rest)
            if sql == "COMMIT":
                point.reached("after COMMIT")
            elif sql.startswith("UPDATE requests SET state = 1"):
                point.reached("mid-lease")
            return cursor

    def mortal(*given: Any, **options: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect(*given, **{"factory": Connection, **options})
        return made

    defaults = Frontier.__init__.__kwdefaults__
    assert defaults is not None
    defaults["connect"] = mortal

    write_all = lines.write_all

    def write(fd: int, data: bytes) -> None:
        point.reached("before append")
        if point.due("torn append"):
            write_all(fd, data[: len(data) // 2 + 1])
            point.die()
        write_all(fd, data)
        point.reached("after append")

    lines.write_all = write
    read = spool.SpooledSink._lines  # noqa: SLF001

    def read_and_die(sink: spool.SpooledSink, end: int) -> Iterator[bytes]:
        for number, line in enumerate(read(sink, end)):
            if number == 3:
                point.reached("mid-finalise")
            yield line

    spool.SpooledSink._lines = read_and_die  # type: ignore[assignment,method-assign]  # noqa: SLF001
    replace = Path.replace

    def rename(path: Path, target: Any) -> Path:
        if path.suffix != ".part":
            return replace(path, target)
        point.reached("before rename")
        renamed = replace(path, target)
        point.reached("after rename")
        return renamed

    Path.replace = rename  # type: ignore[assignment,method-assign]
    install_loading(point)


class MortalConnection:
    """A connection to a database that items are loaded into, with failpoints for the loader's thread."""

    def __init__(self, connection: Connection, point: Failpoint) -> None:
        self._connection = connection
        self._point = point
        self._inserted = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows."""
        self._point.reached("mid-load")
        self._connection.insert(sql, rows)
        self._inserted = True

    def commit(self) -> None:
        """Commit them, or something else."""
        loaded, self._inserted = self._inserted, False
        if loaded:
            self._point.reached("before load COMMIT")
        self._connection.commit()
        if loaded:
            self._point.reached("after load COMMIT")


def install_loading(point: Failpoint) -> None:
    """Put the failpoints around what a database is given."""
    prepare = Table.prepare

    def prepare_and_die(table: Table) -> None:
        prepare(table)
        table._db = MortalConnection(table._db, point)  # noqa: SLF001

    Table.prepare = prepare_and_die  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    if text := os.environ.get(VARIABLE):
        install(Failpoint(text))
    runpy.run_module("scrapekit", run_name="__main__")
