"""Databases for the tests: SQLite by itself and by SQLAlchemy, and PostgreSQL where it is installed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from postgres import programs, serving


class SQLiteDatabase:
    def __init__(self, path, scheme):
        self.path = path
        self.url = f"{scheme}:///{path}"

    def run(self, sql):
        """Rows that a statement finds."""
        with closing(sqlite3.connect(self.path)) as db, db:
            return db.execute(sql).fetchall()


class PostgresDatabase:
    def __init__(self, url):
        self.url = url

    def run(self, sql):
        """Rows that a statement finds."""
        with psycopg.connect(self.url) as db:
            found = db.execute(sql)
            return found.fetchall() if found.description else []


@pytest.fixture(scope="session")
def postgres_server():
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with serving() as server:
        yield server


@pytest.fixture
def postgres(postgres_server):
    """An empty database of a server that runs."""
    database = PostgresDatabase(postgres_server.url)
    database.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return database


@pytest.fixture(params=["sqlite", "sqlite+pysqlite", "postgresql"])
def database(request, tmp_path):
    """An empty database, and how to look into it."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres")
    return SQLiteDatabase(Path(tmp_path / "items.db"), request.param)
