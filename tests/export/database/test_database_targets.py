"""URLs of tables: what is one, and what is said where one can't be used."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import pytest

from scrapekit.errors import OutputError
from scrapekit.export import extras, open_output
from scrapekit.export.database.target import TableTarget


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("sqlite:///items.db", ("sqlite:///items.db", "items", ())),
        ("sqlite:////x/items.db?table=q", ("sqlite:////x/items.db", "q", ())),
        ("postgresql://u:p@h/db?sslmode=require&table=q&key=a,b", ("postgresql://u:p@h/db?sslmode=require", "q", ("a", "b"))),
        ("mysql+pymysql://h/db?table=a%20b", ("mysql+pymysql://h/db", "a b", ())),
    ],
    ids=["items", "a path", "options", "a driver"],
)  # fmt: skip
def test_a_url_names_a_table_and_its_key(url, target):
    assert TableTarget.of(url) == target


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "this is no file"),
        ("sqlite:///", "this is no file"),
        ("sqlite:///:memory:", "this is no file"),
        ("sqlite://items.db", "this is no file"),
        ("sqlite:///items.db?tabel=x", "this is no file"),
        ("sqlite:///items.db?table=", "'' can't be the name of a table"),
        ("sqlite:///items.db?table=scrapekit_outbox", "can't be the name of a table"),
        ("sqlite:///items.db?key=" + "x" * 64, "can't be the name of a table or column"),
        ("sqlite:///no/items.db", "the folder .*/no does not exist; create it first"),
        ("postgresql://[/x", "this is no URL of a database"),
        ("postgresql://u:hid/hidden@h/x", "^the URL of the postgresql database has an @ behind its host: .* / is %2F"),
        ("mysql+nosuchdriver://h/x", "this is no URL of a database"),
        ("postgresql://u:hidden@127.0.0.1:1/x", r"postgresql://\*\*\*@127.0.0.1:1/x: the table can't be used: .*refused"),
        ("postgresql+psycopg://h:port/x", "this is no URL of a database"),
    ],
    ids=str,
)  # fmt: skip
def test_what_can_not_be_used_is_one_line_at_the_start(tmp_path, monkeypatch, url, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=said) as caught:
        open_output(url)
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_refused_and_stays(tmp_path):
    path = tmp_path / "items.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(OutputError, match="not a database"):
        open_output(f"sqlite:///{path}")
    assert path.read_bytes() == b"no database" * 100


def test_folders_are_created_on_demand(tmp_path):
    open_output(f"sqlite:///{tmp_path}/a/b/items.db", parents=True).close()
    with closing(sqlite3.connect(tmp_path / "a" / "b" / "items.db")) as db:
        assert db.execute("SELECT * FROM items").fetchall() == []


def test_a_driver_that_is_missing_is_named(monkeypatch):
    with pytest.raises(OutputError, match=r"needs MySQLdb, which is not installed here: install its driver$"):
        open_output("mysql://h/x")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        OutputError, match=r"needs psycopg, which is not installed here: .* pip install '\.\[postgres\]'$"
    ):
        open_output("postgresql://h/x")


def test_where_sqlalchemy_is_missing_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(OutputError, match=r"needs sqlalchemy, .* pip install '\.\[postgres\]'"):
        open_output("postgresql://u:hidden@h/x")
