"""What the loader does while a database is down or locked."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import ExitStack

import msgspec
import pytest

from scrapekit.errors import ExportError
from scrapekit.export import Options, open_output, resume_output
from scrapekit.export.database import connection as connection_module
from scrapekit.export.database.loader import pause


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Statements wait for no lock, so that tests need not."""
    monkeypatch.setattr(connection_module, "_PATIENCE", 0)


def line(**fields):
    return msgspec.json.encode(fields)


def wait_for(caplog, text):
    until = time.monotonic() + 60
    while not any(text in record.message for record in caplog.records):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def locked(tmp_path, caplog):
    """A sink with an item for a database that somebody else has locked, as it has found, and that lock."""

    def locked(**options):
        sink = open_output(f"sqlite:///{tmp_path}/items.db", options=Options(max_outage=3600), **options)
        lock = sqlite3.connect(tmp_path / "items.db", isolation_level=None)
        held.callback(lock.close)
        lock.execute("BEGIN EXCLUSIVE")
        with caplog.at_level(logging.WARNING, "scrapekit"):
            sink.append([line(n=1)])
            sink.committed()
            wait_for(caplog, "trying again")
        return sink, lock

    with ExitStack() as held:
        yield locked


def test_pauses_grow_up_to_a_limit():
    assert [pause(failures) for failures in (1, 2, 3, 6, 7, 10_000)] == [0.1, 0.2, 0.4, 3.2, 5.0, 5.0]


def test_a_locked_database_holds_nothing_up_and_gets_everything_later(tmp_path, caplog):
    path = tmp_path / "items.db"
    sink = open_output(f"sqlite:///{path}")
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with caplog.at_level(logging.WARNING, "scrapekit"):
        for number in range(100):
            sink.append([line(n=number)])
            sink.committed()
        wait_for(caplog, "the database does not take items, trying again: database is locked")
        lock.execute("COMMIT")
        sink.finish()
    assert lock.execute("SELECT n FROM items ORDER BY _n").fetchall() == [(number,) for number in range(100)]
    lock.close()
    sink.close()


def test_a_database_that_stays_locked_is_given_up_and_a_later_run_goes_on(tmp_path):
    path, spool = tmp_path / "items.db", tmp_path / "items.jsonl"
    target = f"sqlite:///{path}"
    sink = open_output(target, spool=spool, options=Options(max_outage=0.3))
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    sink.append([line(n=1)])
    position = sink.position()
    sink.committed()
    said = r"the database has not taken items for 0.3 seconds: database is locked; the items stay in .*items\.jsonl$"
    with pytest.raises(ExportError, match=said):
        sink.finish()
    with pytest.raises(ExportError, match=said):
        sink.committed()
    sink.close()
    lock.execute("COMMIT")
    resumed = resume_output(target, position, spool=spool)
    resumed.committed()
    resumed.finish()
    resumed.close()
    assert lock.execute("SELECT n FROM items").fetchall() == [(1,)]
    lock.close()


def test_a_crawl_that_ends_does_not_wait_for_a_locked_database(tmp_path, locked):
    sink, _ = locked(spool=tmp_path / "items.jsonl")
    sink.close()
    assert "scrapekit-loader" not in {thread.name for thread in threading.enumerate()}


def test_nobody_leaves_a_database_where_nobody_could_resume(locked):
    sink, lock = locked()
    sink.leave()
    closing = threading.Thread(target=sink.close)
    closing.start()
    closing.join(0.1)
    lock.execute("COMMIT")
    closing.join(60)
    assert lock.execute("SELECT n FROM items").fetchall() == [(1,)]


def test_whoever_waits_for_a_locked_database_can_leave_and_a_later_run_goes_on(tmp_path, locked):
    spool = tmp_path / "items.jsonl"
    sink, lock = locked(spool=spool)
    position = sink.position()
    waiting = threading.Thread(target=sink.finish)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    assert not sink.left
    sink.leave()
    waiting.join(60)
    assert sink.left
    sink.close()
    lock.execute("COMMIT")
    resumed = resume_output(f"sqlite:///{tmp_path}/items.db", position, spool=spool)
    resumed.committed()
    resumed.finish()
    assert not resumed.left
    resumed.close()
    assert lock.execute("SELECT n FROM items").fetchall() == [(1,)]


def test_a_server_that_goes_away_for_a_while_gets_everything_once(postgres_server, postgres, caplog):
    sink = open_output(postgres.url)
    with caplog.at_level(logging.WARNING, "scrapekit"):
        sink.append([line(n=number) for number in range(600)])
        sink.committed()
        sink.finish()
        postgres_server.stop()
        try:
            sink.append([line(n=600)])
            sink.committed()
            wait_for(caplog, "trying again")
        finally:
            postgres_server.start()
        sink.append([line(n=601)])
        sink.committed()
        sink.finish()
    sink.close()
    assert postgres.run('SELECT n FROM items ORDER BY "_n"') == [(number,) for number in range(602)]
    assert postgres.url.rpartition("@")[0].rpartition(":")[2] not in caplog.text


def test_rows_of_a_transaction_that_a_killed_process_has_under_way_come_once(postgres, tmp_path):
    """Its server does not know yet that it is dead, and may still commit."""
    spool = tmp_path / "items.jsonl"
    sink = open_output(postgres.url, spool=spool)
    sink.committed()
    sink.finish()
    sink.append([line(n=1)])
    position = sink.position()
    sink.close()
    import psycopg

    with psycopg.connect(postgres.url) as dead:
        dead.execute("UPDATE scrapekit_outbox SET items = 1, bytes = %s", (position["offset"],))
        dead.execute("ALTER TABLE items ADD n BIGINT")
        dead.commit()
        dead.execute("UPDATE scrapekit_outbox SET items = 0, bytes = 0")
        dead.commit()
        dead.execute("UPDATE scrapekit_outbox SET items = 1, bytes = %s", (position["offset"],))
        dead.execute("INSERT INTO items (_job, _n, n) SELECT job, 1, 1 FROM scrapekit_outbox")
        resumed = resume_output(postgres.url, position, spool=spool)
        resumed.committed()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        until = time.monotonic() + 60
        while not postgres.run(waiting):
            assert time.monotonic() < until
            time.sleep(0.01)
        dead.commit()
        resumed.finish()
        resumed.close()
    assert postgres.run("SELECT n FROM items") == [(1,)]


def test_what_nobody_thought_of_is_an_export_error_too(tmp_path):
    spool = tmp_path / "items.jsonl"
    sink = open_output(f"sqlite:///{tmp_path}/items.db", spool=spool)
    sink.append([b"no JSON"])
    sink.committed()
    with pytest.raises(ExportError, match="can't be written: DecodeError: .*; the items stay in"):
        sink.finish()
    sink.close()
