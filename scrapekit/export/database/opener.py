"""Opening a table as an output."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from scrapekit.errors import OutputError, OutputMismatch
from scrapekit.export.database.connection import Connection, Refused, SQLiteConnection, Unreachable
from scrapekit.export.database.loader import Connect, Loader
from scrapekit.export.database.sink import DatabaseSink
from scrapekit.export.database.table import Progress, Table
from scrapekit.export.database.target import TableTarget
from scrapekit.export.extras import need
from scrapekit.export.linefile import make_folder, open_lines, resume_lines
from scrapekit.export.lines import FileSink
from scrapekit.export.opener import Terms
from scrapekit.safe import masked

_OURS = ("outbox", "items", "empty")  # of the position; the rest is the spool's


class Tables:
    """The :class:`~scrapekit.export.opener.Opener` of tables in databases.

    Several crawls may insert into one table at once: each row is of the job that inserted it.
    """

    def open(self, target: str, terms: Terms) -> DatabaseSink:
        """Make the table unless it is there; with ``overwrite`` it is emptied when the crawl begins."""
        connect = _connector(target, terms)
        _, close = _prepared(target, connect)
        close()
        job = terms.spool.parent.name if terms.spool else "run"
        spool = open_lines(str(terms.spool or _temporary()), Terms(overwrite=True, fsync=terms.fsync))
        return _sink(target, terms, connect, spool, outbox=f"{job}-{uuid4().hex[:12]}", items=0, empty=terms.overwrite)

    def resume(self, target: str, committed: Mapping[str, Any], terms: Terms, *, whole: bool) -> DatabaseSink:
        """Go on; rows of items that the spool does not have any more, because it was repaired, are deleted."""
        if not committed.keys() >= set(_OURS):
            raise OutputMismatch(f"{masked(target)} can't go on with this job's output, which was of another format")
        ours = {name: committed[name] for name in _OURS}
        theirs = {name: value for name, value in committed.items() if name not in ours}
        connect = _connector(target, terms)
        spool = resume_lines(str(terms.spool), theirs, terms, whole=whole)
        try:
            table, close = _prepared(target, connect)
            try:
                done = table.begin(ours["outbox"], empty=ours["empty"])
                if done.items > ours["items"]:
                    table.go_back(ours["outbox"], Progress(ours["items"], committed["offset"]))
            except (Unreachable, Refused) as error:
                raise OutputMismatch(f"{masked(target)} can't go on with this job: {error}") from error
            finally:
                close()
        except BaseException:
            spool.close()
            raise
        return _sink(target, terms, connect, spool, **ours)

    def probe(self, target: str, terms: Terms) -> None:
        """Whether there is a database."""
        try:
            _connection(TableTarget.of(target), target, terms)().close()
        except (Unreachable, Refused) as error:
            raise OutputError(f"{masked(target)}: the database can't be used: {error}") from error

    def find(self, pattern: str) -> list[str]:  # noqa: ARG002  (tables take more rows)
        """None."""
        return []


def _connection(where: TableTarget, target: str, terms: Terms) -> Callable[[], Connection]:
    """How to connect to the database, again and again."""
    if where.scheme == "sqlite":
        path = _file_of(where, terms)

        def connection() -> Connection:
            return SQLiteConnection(path)
    else:
        need("postgres", masked(target))
        from scrapekit.export.database.alchemy import AlchemyConnection, engine_for  # noqa: PLC0415  (an extra)

        engine = engine_for(where.url)

        def connection() -> Connection:
            return AlchemyConnection(engine)

    return connection


def _connector(target: str, terms: Terms) -> Connect:
    """How to connect, and see to it that the table is there."""
    where = TableTarget.of(target)
    connection = _connection(where, target, terms)

    def connect() -> tuple[Connection, Table]:
        opened = connection()
        try:
            table = Table(opened, where.table, where.key)
            table.prepare()
        except BaseException:
            opened.close()
            raise
        return opened, table

    return connect


def _file_of(where: TableTarget, terms: Terms) -> Path:
    """The file of a SQLite database: ``sqlite:///relative``, ``sqlite:////absolute``."""
    name = where.url.partition(":")[2]
    if not name.startswith("///") or name in {"///", "///:memory:"} or "?" in name:
        raise OutputError(
            f"{where.url}: this is no file: it is sqlite:///items.db, or sqlite:////folder/items.db, and after that "
            "?table= and ?key= only"
        )
    path = Path(name[3:]).absolute()
    if terms.parents:
        make_folder(path.parent, fsync=terms.fsync)
    if not path.parent.is_dir():
        raise OutputError(f"{where.url}: the folder {path.parent} does not exist; create it first")
    return path


def _prepared(target: str, connect: Connect) -> tuple[Table, Any]:
    """The table, and how to close its connection: what can't be used is found now, not after hours."""
    try:
        connection, table = connect()
    except (Unreachable, Refused) as error:
        raise OutputError(f"{masked(target)}: the table can't be used: {error}") from error
    return table, connection.close


def _sink(
    target: str, terms: Terms, connect: Connect, spool: Any, *, outbox: str, items: int, empty: bool
) -> DatabaseSink:
    assert isinstance(spool, FileSink)
    name = masked(target)
    loader = Loader(connect, outbox, Path(spool.name), empty=empty, outage=terms.options.max_outage, name=name)
    return DatabaseSink(spool, loader, name, outbox=outbox, items=items, empty=empty, temporary=terms.spool is None)


def _temporary() -> str:
    fd, name = tempfile.mkstemp(".jsonl", "scrapekit-")
    os.close(fd)
    return name
