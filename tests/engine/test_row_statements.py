import sqlite3

import pytest

from scrapekit.engine.rows import Rows


@pytest.fixture
def db():
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        yield connection
    connection.close()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 1023])
def test_all_rows_arrive_in_their_order(db, count):
    rows = [(number, f"row {number}") for number in range(count)]
    assert Rows("INSERT INTO t VALUES", 2).run(db, rows) == count
    assert db.execute("SELECT * FROM t ORDER BY id").fetchall() == rows


def test_a_batch_needs_few_statements(db):
    statements = []
    db.set_trace_callback(statements.append)
    Rows("INSERT INTO t VALUES", 2).run(db, [(number, "") for number in range(200)])
    assert len(statements) == 3  # 128 + 64 + 8: three turns of the interpreter's lock, not two hundred


def test_the_rows_that_changed_are_counted(db):
    Rows("INSERT INTO t VALUES", 2).run(db, [(number, "old") for number in range(10)])
    update = Rows("UPDATE t SET text = column2 FROM (VALUES", 2, ") WHERE id = column1 AND text = 'old'")
    assert update.run(db, [(3, "new"), (4, "new"), (99, "new")]) == 2
    assert update.run(db, [(4, "newer"), (5, "newer")]) == 1
    assert db.execute("SELECT id, text FROM t WHERE text <> 'old'").fetchall() == [(3, "new"), (4, "new"), (5, "newer")]
