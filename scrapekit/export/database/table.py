"""The :class:`Table`: rows of items, and how many of a job's are in it, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from scrapekit.export.database.connection import Connection, Refused, Unreachable
from scrapekit.export.database.kinds import Kind, joined, kind_of, stored, takes
from scrapekit.export.database.names import JOB, MOST_COLUMNS, NUMBER, OUTBOX, is_field, places

logger = logging.getLogger("scrapekit")

_MOST_COLUMNS = 1000  # where names.py says nothing else
_MOST_NAMED = 100  # fields that are left out; pages may have data for names
_UPSERTS = ("sqlite", "postgresql")

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Progress(NamedTuple):
    """How much of a job's spool is in the table.

    Args:
        items: From the first one on.
        bytes: That they take in the spool.
    """

    items: int = 0
    bytes: int = 0


class Table:
    """A table that items are inserted into, by one connection and so in one thread.

    One that was not there is made, with the columns ``_job`` and ``_n``, and gets a column for each field that comes. A
    table without these two is its owner's: it is not changed, and of items it gets the fields that it has columns for.

    The table ``scrapekit_outbox`` beside it says how far each job is, and is changed in the transaction that inserts.

    Args:
        connection: All methods raise what it raises.
        name: Of the table.
        key: Columns that are unique: the row of an item that comes again is refreshed.
    """

    def __init__(self, connection: Connection, name: str, key: Sequence[str] = ()) -> None:
        self._db = connection
        self._name = name
        self._key = tuple(key)
        self._columns: dict[str, Kind] = {}
        self._left_out: set[str] = set()

    def prepare(self) -> None:
        """Make what is missing."""
        if self._key and self._db.dialect not in _UPSERTS:
            raise Refused(f"?key= is for SQLite and PostgreSQL, not for {self._db.dialect}")
        int_type, key_type = self._db.type_name("int"), self._db.type_name("any")
        counts = [("items", f"{int_type} NOT NULL"), ("bytes", f"{int_type} NOT NULL")]
        self._make(OUTBOX, [("job", f"{key_type} NOT NULL PRIMARY KEY"), ("destination", key_type), *counts])
        self._make(
            self._name,
            [(JOB, f"{key_type} NOT NULL"), (NUMBER, f"{int_type} NOT NULL")],
            f", PRIMARY KEY ({self._quoted([JOB, NUMBER])})",
        )
        self._look()
        if self._key:
            self._prepare_key()

    def begin(self, job: str, *, empty: bool) -> Progress:
        """How far a job is; it is written down as one that has begun.

        Args:
            job: Its outbox key.
            empty: Whether to delete all rows first, if it has not begun before.
        """
        known = self._progress(job)
        if known is not None:
            return known
        columns = self._quoted(["job", "destination", "items", "bytes"])
        try:
            self._db.execute(
                f"INSERT INTO {self._quoted([OUTBOX])} ({columns}) VALUES ({self._marks(4)})", (job, self._name, 0, 0)
            )
            if empty:
                self._db.execute(f"DELETE FROM {self._quoted([self._name])}")
            self._db.commit()
        except Refused:  # a process that was killed may have had a transaction under way
            self._db.rollback()
            known = self._progress(job)
            if known is None:
                raise
        return known or Progress()

    def go_back(self, job: str, to: Progress) -> None:
        """Take the rows of a job back that its spool does not have any more."""
        if not self._own and not self._key:
            raise Refused("it has more items of this job than the job has")
        if not self._key:
            self._db.execute(
                f"DELETE FROM {self._quoted([self._name])} WHERE {self._equal(JOB, 1)} "
                f"AND {self._quoted([NUMBER])} > {self._db.mark(2)}",
                (job, to.items),
            )
        self._advance(job, to)
        self._db.commit()

    def load(self, job: str, done: Progress, lines: Sequence[bytes]) -> Progress:
        """Insert items, all or none.

        Args:
            job: The outbox key.
            done: How far the job is.
            lines: The next items.

        Raises:
            Unreachable: Also where somebody else has taken the job further meanwhile.
        """
        items = [_decode(line) for line in lines]
        self._widen(items)
        rows = [self._row(job, done.items + number, item) for number, item in enumerate(items, 1)]
        after = Progress(done.items + len(lines), done.bytes + sum(map(len, lines)) + len(lines))
        # The outbox first: this waits for a transaction that a killed process may still have under way.
        if not self._advance(job, after, done):
            self._db.rollback()
            raise Unreachable("another process loads the same job")
        for columns, some in groupby(rows, key=tuple):
            if columns:
                self._db.insert(self._insertion(columns), [tuple(row.values()) for row in some])
        self._db.commit()
        return after

    @property
    def _own(self) -> bool:
        return {JOB, NUMBER} <= self._columns.keys()

    def _look(self) -> None:
        self._columns = self._db.columns(self._name)

    def _make(self, name: str, columns: Iterable[tuple[str, str]], more: str = "") -> None:
        """Create a table unless it is there."""
        if self._db.columns(name):
            return
        listed = ", ".join(f"{self._quoted([column])} {type_name}" for column, type_name in columns)
        try:
            self._db.execute(f"CREATE TABLE {self._quoted([name])} ({listed}{more})")
            self._db.commit()
        except Refused:
            self._db.rollback()
            if not self._db.columns(name):  # another crawl may have made it just now
                raise

    def _prepare_key(self) -> None:
        missing = [name for name in self._key if name not in self._columns]
        if missing and not self._own:
            raise Refused(f"it has no column {missing[0]!r} that could be a key")
        if self._own:
            self._add(dict.fromkeys(missing, "text"))
            # Only that this one is not there, nor another one that does as well, is a reason to make it.
            if not self._has_key():
                index = f"{self._name}_{'_'.join(self._key)}"[:50] + "_key"
                self._db.execute(
                    f"CREATE UNIQUE INDEX {self._quoted([index])} ON {self._quoted([self._name])} "
                    f"({self._quoted(self._key)})"
                )
                self._db.commit()
        if not self._has_key():
            raise Refused(f"its columns {', '.join(self._key)} are not declared to be unique, as a key must be")

    def _has_key(self) -> bool:
        """Whether the database takes the key for one, asked by a statement that inserts nothing."""
        table, key = self._quoted([self._name]), self._quoted(self._key)
        try:
            self._db.execute(
                f"INSERT INTO {table} ({key}) SELECT {key} FROM {table} WHERE 1 = 0 ON CONFLICT ({key}) DO NOTHING"
            )
        except Refused:
            return False
        finally:
            self._db.rollback()
        return True

    def _widen(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Make room for the fields of these items, in a table of ours."""
        if not self._own:
            return
        there = {name.lower(): name for name in self._columns}
        kinds: dict[str, Kind | None] = {}
        for item in items:
            for field, value in item.items():
                if is_field(field, self._db.dialect):
                    name = there.setdefault(field.lower(), field)  # names that differ by case only are one in SQLite
                    known = kinds.setdefault(name, None)
                    kinds[name] = known if value is None else joined(known, kind_of(value))
        for name, kind in kinds.items():
            if name in self._columns:
                self._check(name, kind)
        room = max(0, MOST_COLUMNS.get(self._db.dialect, _MOST_COLUMNS) - len(self._columns))
        new = [name for name in kinds if name not in self._columns]
        self._add({name: kinds[name] or "text" for name in new[:room]})

    def _add(self, columns: Mapping[str, Kind]) -> None:
        if not columns:
            return
        adding = {name: f"ADD {self._quoted([name])} {self._db.type_name(kind)}" for name, kind in columns.items()}
        try:
            for change in adding.values():
                self._change(change)
            self._db.commit()
        except Refused:  # another crawl may have added one of them: which, is found out one by one
            self._db.rollback()
            for name, change in adding.items():
                self._alter(change, name, columns[name])
        self._look()

    def _check(self, column: str, kind: Kind | None) -> None:
        """See to it that a column takes values of a kind."""
        if kind is None or takes(self._columns[column], kind):
            return
        self._look()  # another crawl may have widened it, and must not see it narrow again
        there = self._columns[column]
        wanted = joined(there, kind)
        if wanted == there:
            return
        if self._db.dialect != "postgresql":
            raise Refused(f"its column {column!r} is made for values that are {there}, and one comes that is {kind}")
        name, type_name = self._quoted([column]), self._db.type_name(wanted)
        self._alter(f"ALTER COLUMN {name} TYPE {type_name} USING {name}::{type_name}", column, wanted)
        self._look()

    def _alter(self, change: str, column: str, kind: Kind) -> None:
        """Make a column, or make it take another kind."""
        try:
            self._change(change)
            self._db.commit()
        except Refused:
            self._db.rollback()
            self._look()
            if column not in self._columns or not takes(self._columns[column], kind):
                raise  # it was not another crawl that has changed it just now

    def _change(self, change: str) -> None:
        self._db.execute(f"ALTER TABLE {self._quoted([self._name])} {change}")

    def _row(self, job: str, number: int, item: Mapping[str, Any]) -> dict[str, Any]:
        """The columns and values of an item."""
        placed = places(item, self._data_columns())
        if len(self._left_out) < _MOST_NAMED:
            for name in sorted(item.keys() - placed.keys() - self._left_out)[: _MOST_NAMED - len(self._left_out)]:
                self._left_out.add(name)
                more = "; others are too, and not named any more" if len(self._left_out) == _MOST_NAMED else ""
                logger.warning("table %s has no column for the field %.100r: it is left out%s", self._name, name, more)
        own = {JOB: job, NUMBER: number} if self._own else {}
        kinds: Mapping[str, Kind] = self._columns if self._own else {}
        return own | {column: stored(item[name], kinds.get(column, "any")) for name, column in sorted(placed.items())}

    def _data_columns(self) -> list[str]:
        return [name for name in self._columns if not (self._own and name in {JOB, NUMBER})]

    def _insertion(self, columns: Sequence[str]) -> str:
        table, key = self._quoted([self._name]), self._quoted(self._key)
        sql = f"INSERT INTO {table} ({self._quoted(columns)}) VALUES ({self._marks(len(columns))})"
        if self._key:
            names = [self._quoted([name]) for name in columns if name not in self._key]
            changes = ", ".join(f"{name} = excluded.{name}" for name in names)
            return f"{sql} ON CONFLICT ({key}) DO " + (f"UPDATE SET {changes}" if changes else "NOTHING")
        if self._own and self._db.dialect in _UPSERTS:
            return f"{sql} ON CONFLICT ({self._quoted([JOB, NUMBER])}) DO NOTHING"
        return sql

    def _progress(self, job: str) -> Progress | None:
        found = self._db.query(
            f"SELECT {self._quoted(['items', 'bytes'])} FROM {self._quoted([OUTBOX])} WHERE {self._equal('job', 1)}",
            (job,),
        )
        self._db.rollback()
        return Progress(*map(int, found[0])) if found else None

    def _advance(self, job: str, to: Progress, from_: Progress | None = None) -> bool:
        """Write down how far a job is; False if it was not where it should be."""
        equal = self._equal
        sql = f"UPDATE {self._quoted([OUTBOX])} SET {equal('items', 1)}, {equal('bytes', 2)} WHERE {equal('job', 3)}"
        values: list[Any] = [*to, job]
        if from_ is not None:
            sql += f" AND {equal('items', 4)}"
            values.append(from_.items)
        return self._db.execute(sql, values) == 1

    def _quoted(self, names: Iterable[str]) -> str:
        return ", ".join(map(self._db.quoted, names))

    def _equal(self, name: str, number: int) -> str:
        return f"{self._db.quoted(name)} = {self._db.mark(number)}"

    def _marks(self, count: int) -> str:
        return ", ".join(map(self._db.mark, range(1, count + 1)))
