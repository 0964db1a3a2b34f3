"""What a table does when others come between, and on databases that can do less."""

from __future__ import annotations

import msgspec
import pytest

from scrapekit.export.database.alchemy import AlchemyConnection, engine_for
from scrapekit.export.database.connection import Refused, SQLiteConnection
from scrapekit.export.database.table import Progress, Table


class Late(SQLiteConnection):
    """It sees what another process has done only when it has tried the same."""

    blind = True

    def columns(self, table):
        return {} if self.blind else super().columns(table)

    def query(self, sql, values=()):
        return [] if self.blind and "scrapekit_outbox" in sql else super().query(sql, values)

    def rollback(self):
        super().rollback()
        if self.tried:
            self.blind = False

    tried = False

    def execute(self, sql, values=()):
        self.tried = True
        return super().execute(sql, values)


class Limited(SQLiteConnection):
    """A database of typed columns that can't be widened, and without ON CONFLICT."""

    dialect = "limited"
    kinds = {"url": "text", "n": "int", "share": "float", "ok": "bool"}

    def columns(self, table):
        return {name: self.kinds.get(name, "text") for name in super().columns(table)}


def prepared(connection, *key):
    table = Table(connection, "items", key)
    table.prepare()
    return table


def line(**fields):
    return msgspec.json.encode(fields)


def test_a_table_that_another_process_has_just_made_is_used(tmp_path):
    path = tmp_path / "x.db"
    connection = SQLiteConnection(path)
    prepared(connection).begin("job", empty=False)
    for _ in range(2):
        late = Late(path)
        table = Table(late, "items")
        table.prepare()
        late.blind = True
        assert table.begin("job", empty=True) == Progress()
        late.close()
    connection.close()


def test_what_can_not_be_made_is_refused(tmp_path):
    connection = SQLiteConnection(tmp_path / "x.db")
    connection.execute('CREATE TABLE "other" (x)')
    connection.execute('CREATE INDEX "items" ON "other" (x)')
    connection.commit()
    with pytest.raises(Refused, match="there is already an index named items"):
        prepared(connection)
    connection.close()


def test_an_outbox_that_takes_nothing_is_refused(tmp_path):
    connection = SQLiteConnection(tmp_path / "x.db")
    table = prepared(connection)
    connection.execute("CREATE TRIGGER shut BEFORE INSERT ON scrapekit_outbox BEGIN SELECT RAISE(ABORT, 'shut'); END")
    connection.commit()
    with pytest.raises(Refused, match="shut"):
        table.begin("job", empty=False)
    connection.close()


def test_a_database_that_can_widen_nothing_names_the_column(tmp_path):
    connection = Limited(tmp_path / "x.db")
    table = prepared(connection)
    done = table.load("job", table.begin("job", empty=False), [line(url="/", n=1, share=1, ok=True)])
    done = table.load("job", done, [line(url=1, n=None, share=2.5)])
    assert connection.query('SELECT url, n, share FROM items ORDER BY "_n"') == [("/", 1, 1.0), ("1", None, 2.5)]
    with pytest.raises(Refused, match="its column 'n' is made for values that are int, and one comes that is float"):
        table.load("job", done, [line(n=0.5)])
    connection.close()


def test_a_key_is_for_databases_that_know_on_conflict(tmp_path):
    connection = Limited(tmp_path / "x.db")
    with pytest.raises(Refused, match=r"\?key= is for SQLite and PostgreSQL, not for limited"):
        prepared(connection, "url")
    connection.close()


def test_an_item_that_has_no_column_at_all_counts_as_loaded(tmp_path):
    connection = SQLiteConnection(tmp_path / "x.db")
    connection.execute("CREATE TABLE items (a)")
    connection.commit()
    table = prepared(connection)
    done = table.load("job", table.begin("job", empty=False), [line(b=1), line(a=2)])
    assert done.items == 2
    assert connection.query("SELECT * FROM items") == [(2,)]
    connection.close()


def test_what_sqlalchemy_itself_refuses_is_refused(tmp_path):
    connection = AlchemyConnection(engine_for(f"sqlite+pysqlite:///{tmp_path}/x.db"))
    connection.close()
    with pytest.raises(Refused, match="closed"):
        connection.execute("SELECT 1")


def test_more_columns_than_a_database_can_have_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("scrapekit.export.database.table._MOST_COLUMNS", 5)
    connection = SQLiteConnection(tmp_path / "x.db")
    table = prepared(connection)
    done = table.load("job", table.begin("job", empty=False), [line(**dict.fromkeys("abcdefgh", 1))])
    table.load("job", done, [line(**dict.fromkeys("hgfedcba", 2))])
    assert [*connection.columns("items")] == ["_job", "_n", "a", "b", "c"]
    assert connection.query("SELECT a, b, c FROM items") == [(1, 1, 1), (2, 2, 2)]
    connection.close()
