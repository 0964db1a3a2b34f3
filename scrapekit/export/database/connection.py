"""Connections to databases: what is asked of them, and SQLite's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from scrapekit.export.database.kinds import Kind

_PATIENCE = 5.0  # seconds that a statement waits for a lock


class Unreachable(Exception):  # noqa: N818  (it is not shown as it is)
    """The database can't do it now, but may be able to later: it is down, locked or full."""


class Refused(Exception):  # noqa: N818  (as above)
    """The database won't do it, now or later: the statement or a value is not as it must be."""


class Connection(Protocol):
    """A connection, for one thread. Every method raises :class:`Unreachable` or :class:`Refused`.

    Attributes:
        dialect: The kind of database: ``sqlite``, ``postgresql`` or another one.
    """

    dialect: str

    def quoted(self, name: str) -> str:
        """A name as it stands in a statement, whatever is in it."""

    def mark(self, number: int) -> str:
        """What stands for the value with this number, from 1 on, in a statement."""

    def type_name(self, kind: Kind) -> str:
        """The type of a column of this kind; of ``any``, of one that can be a primary key."""

    def columns(self, table: str) -> dict[str, Kind]:
        """The columns of a table and what they take; empty where there is no such table."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement in the transaction, which it begins; how many rows it has changed."""

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row."""

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows that it finds."""

    def commit(self) -> None:
        """Make the transaction final."""

    def rollback(self) -> None:
        """Undo it."""

    def close(self) -> None:
        """Close the connection; never raises."""


class SQLiteConnection:
    """A :class:`Connection` by Python's own sqlite3.

    Columns have no types: SQLite keeps each value as it is then, and would make an integer of the text ``007`` in one
    that is declared to have integers.
    """

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        with _errors():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE)

    def quoted(self, name: str) -> str:
        """In double quotes."""
        return '"' + name.replace('"', '""') + '"'

    def mark(self, number: int) -> str:  # noqa: ARG002  (other databases number them)
        """A question mark."""
        return "?"

    def type_name(self, kind: Kind) -> str:  # noqa: ARG002  (there are none)
        """None."""
        return ""

    def columns(self, table: str) -> dict[str, Kind]:
        """As SQLite tells them."""
        return {name: "any" for (name,) in self.query("SELECT name FROM pragma_table_info(?)", (table,))}

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Begin the transaction as one that writes, so that it need not wait for a lock later."""
        with _errors():
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            return self._db.execute(sql, values).rowcount

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """One by one."""
        with _errors():
            self._db.executemany(sql, rows)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """As SQLite finds them."""
        with _errors():
            return self._db.execute(sql, values).fetchall()

    def commit(self) -> None:
        """COMMIT, if there is something to commit."""
        with _errors():
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def rollback(self) -> None:
        """ROLLBACK, as above."""
        with _errors():
            self._db.rollback()

    def close(self) -> None:
        """Close it; what was not committed is undone."""
        self._db.close()


def is_passing(error: sqlite3.Error) -> bool:
    """Whether an error of SQLite may go away by itself: locks, input and output, a full disk (sqlite.org/rescode)."""
    passing = {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_SCHEMA,
    }
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in passing


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise (Unreachable if is_passing(error) else Refused)(str(error)) from error
