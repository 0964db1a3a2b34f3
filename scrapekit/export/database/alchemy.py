"""Connections by SQLAlchemy, for every database but SQLite. It needs the extra, so only those who use it load it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from scrapekit.errors import OutputError
from scrapekit.export.database.connection import Refused, Unreachable, is_passing
from scrapekit.export.database.kinds import Kind
from scrapekit.safe import masked

_CONNECT = 10  # seconds
# What keeps a server that is gone without a word from holding us for a quarter of an hour (libpq, 34.1.2).
_LIBPQ = {"connect_timeout": _CONNECT, "keepalives_idle": 30, "tcp_user_timeout": 30_000}
_LIMITS = "54"  # the class of SQLSTATE for what is too large or too complex (PostgreSQL, appendix A)
_TYPES: dict[Kind, sa.types.TypeEngine[Any]] = {
    "bool": sa.Boolean(),
    "int": sa.BigInteger(),
    "float": sa.Double(),
    "text": sa.Text(),
    "any": sa.String(255),
}


def engine_for(url: str) -> sa.Engine:
    """An engine for the URL of a database; ``postgresql://`` is by psycopg. Connects to nothing yet.

    Raises:
        OutputError: It is none, or its driver is not installed.
    """
    try:
        made = sa.make_url(url)
        if made.drivername in {"postgresql", "postgres"}:
            made = made.set(drivername="postgresql+psycopg")
        options = {}
        if made.drivername == "postgresql+psycopg":
            options = {name: value for name, value in _LIBPQ.items() if name not in made.query}
        return sa.create_engine(made, poolclass=NullPool, connect_args=options)
    except ModuleNotFoundError as error:
        ours = error.name == "psycopg"
        how = "in the checkout of scrapekit, pip install '.[postgres]'" if ours else "install its driver"
        raise OutputError(f"{masked(url)}: this needs {error.name}, which is not installed here: {how}") from error
    except (sa.exc.ArgumentError, ValueError) as error:
        raise OutputError(f"{masked(url)}: this is no URL of a database: {_line(error)}") from error


class AlchemyConnection:
    """A :class:`~scrapekit.export.database.connection.Connection` of an engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self.dialect = engine.dialect.name
        self._dialect = engine.dialect
        self._quote = engine.dialect.identifier_preparer.quote_identifier
        with _errors():
            self._db = engine.connect()

    def quoted(self, name: str) -> str:
        """As the database quotes names."""
        return self._quote(name)

    def mark(self, number: int) -> str:
        """As the driver has it (PEP 249, paramstyle)."""
        style = self._dialect.paramstyle
        return "?" if style == "qmark" else f":{number}" if style.startswith(("named", "numeric")) else "%s"

    def type_name(self, kind: Kind) -> str:
        """As the database calls it; none in SQLite, see SQLiteConnection."""
        return "" if self.dialect == "sqlite" else str(_TYPES[kind].compile(dialect=self._dialect))

    def columns(self, table: str) -> dict[str, Kind]:
        """As SQLAlchemy finds them."""
        with _errors():
            try:
                found = sa.inspect(self._db).get_columns(table)
            except sa.exc.NoSuchTableError:
                return {}
            finally:
                self._db.rollback()
        return {str(column["name"]): self._kind(column["type"]) for column in found}

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """As the driver does it."""
        with _errors():
            return self._db.exec_driver_sql(sql, tuple(values)).rowcount

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """As the driver does it best."""
        with _errors():
            self._db.exec_driver_sql(sql, [tuple(map(self._stored, row)) for row in rows])

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All at once."""
        with _errors():
            return [tuple(row) for row in self._db.exec_driver_sql(sql, tuple(values)).fetchall()]

    def commit(self) -> None:
        """COMMIT."""
        with _errors():
            self._db.commit()

    def rollback(self) -> None:
        """ROLLBACK."""
        with _errors():
            self._db.rollback()

    def close(self) -> None:
        """Close it; a connection that is broken already may say so."""
        with suppress(sa.exc.SQLAlchemyError):
            self._db.close()

    def _kind(self, kind: sa.types.TypeEngine[Any]) -> Kind:
        if self.dialect == "sqlite":
            return "any"
        if isinstance(kind, sa.Boolean):
            return "bool"
        if isinstance(kind, sa.Integer):
            return "int"
        return "float" if isinstance(kind, sa.Float) else "text"

    def _stored(self, value: Any) -> Any:
        """PostgreSQL has no NUL in texts."""
        if isinstance(value, str) and "\0" in value and self.dialect != "sqlite":
            return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return value


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        said = error.orig
        if isinstance(said, sqlite3.Error):
            passing = is_passing(said)
        else:
            limit = str(getattr(said, "sqlstate", None)).startswith(_LIMITS)  # of psycopg an OperationalError, too
            passing = not limit and (
                error.connection_invalidated
                or isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.InternalError)
            )
        raise (Unreachable if passing else Refused)(_line(said or error)) from error
    except sa.exc.SQLAlchemyError as error:
        raise Refused(_line(error)) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
