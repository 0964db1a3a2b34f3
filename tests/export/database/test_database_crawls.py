"""Whole crawls into databases, by the real command in real processes: killed, locked out, and together with files."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import scrapekit
from scrapekit import Spider
from scrapekit.testing import SampleSite, serve
from scrapekit.testing.mortal import VARIABLE

ROOT = Path(__file__).parents[3]
BOOKS = 40
SETTINGS = ("-s", "crawl.quarantine_after=100", "-s", "retry.backoff.initial=0.01", "-s", "throttle.maxsize=3")


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "books.py").write_bytes((ROOT / "spiders" / "books.py").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def url():
    with serve(SampleSite(books=BOOKS, retry_after=0)) as server:
        yield f"{server.url}/"


def run(*arguments, point=""):
    """``scrapekit`` with these arguments, which is to die at a failpoint."""
    return subprocess.run(
        [sys.executable, "-m", "scrapekit.testing.mortal", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: point, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
    )  # fmt: skip


def died_and_finished(first, points):
    """Die at each point, then go on to the end; how often it died."""
    deaths, arguments = 0, first
    for point in points:
        ran = run(*arguments, point=point)
        if ran.returncode != -signal.SIGKILL:
            break
        deaths += 1
        arguments = ["crawl", "books", "--resume"]
    else:
        ran = run(*arguments)
    assert ran.returncode == 0, ran.stderr
    return deaths


def expected(url):
    return sorted((book["url"], book["price"]) for book in SampleSite(books=BOOKS).expected_books(url))


def test_each_committed_item_is_in_the_table_once_whenever_the_process_dies(project, url, database):
    points = ["torn append:2", "before COMMIT:3", "mid-load:1", "before load COMMIT:1", "after load COMMIT:1"]
    first = ["crawl", "books", "-a", f"url={url}", "-O", f"{database.url}?table=books", *SETTINGS]
    assert died_and_finished(first, points) >= 4
    assert sorted(database.run("SELECT url, price FROM books")) == expected(url)
    assert database.run('SELECT count(DISTINCT "_n"), min("_n"), max("_n") FROM books') == [(BOOKS, 1, BOOKS)]


def test_a_table_may_be_one_of_several_outputs(project, url):
    outputs = ["-O", "a.jsonl", "-O", "sqlite:///b.db?table=books", "-O", "c.csv"]
    first = ["crawl", "books", "-a", f"url={url}", *outputs, *SETTINGS]
    assert died_and_finished(first, ["torn append:2", "before COMMIT:3", "before load COMMIT:1"]) >= 2
    lines = [json.loads(line) for line in (project / "a.jsonl").read_bytes().splitlines()]
    with closing(sqlite3.connect("b.db")) as db:
        found = db.execute("SELECT url, price FROM books ORDER BY _n").fetchall()
    assert found == [(line["url"], line["price"]) for line in lines]
    assert sorted(found) == expected(url)
    with (project / "c.csv").open(newline="") as file:
        assert [row["url"] for row in csv.DictReader(file)] == [line["url"] for line in lines]


def test_a_database_that_is_locked_for_long_ends_the_crawl_and_loses_nothing(project, url):
    target = "sqlite:///b.db?table=books"
    lock = sqlite3.connect("b.db", isolation_level=None)
    lock.execute("CREATE TABLE x (y)")
    assert run("crawl", "books", "-a", f"url={url}", "-O", target, "--max-pages", "3").returncode == 0
    before = lock.execute("SELECT count(*) FROM books").fetchone()
    lock.execute("PRAGMA locking_mode = EXCLUSIVE")
    lock.execute("BEGIN EXCLUSIVE")
    refused = run("crawl", "books", "--resume", "-s", "crawl.max_pages=100000")
    assert refused.returncode == 2
    assert "the table can't be used: database is locked" in refused.stderr
    lock.execute("ROLLBACK")
    lock.close()
    # A trigger that always fails is a database that takes nothing, but can be opened.
    with closing(sqlite3.connect("b.db")) as db:
        db.execute("CREATE TRIGGER shut BEFORE INSERT ON books BEGIN SELECT RAISE(ABORT, 'shut'); END")
        db.commit()
        failed = run("crawl", "books", "--resume", "-s", "crawl.max_pages=100000")
        assert failed.returncode == 1
        assert "error: sqlite:///b.db?table=books: the database refuses the items: shut; the items stay in " in (
            failed.stderr
        )
        assert "to go on: scrapekit crawl books --resume " in failed.stderr
        assert db.execute("SELECT count(*) FROM books").fetchone() == before
        db.execute("DROP TRIGGER shut")
        db.commit()
        done = run("crawl", "books", "--resume", "-s", "crawl.max_pages=100000")
        assert done.returncode == 0, done.stderr
        assert sorted(db.execute("SELECT url, price FROM books").fetchall()) == expected(url)


def test_two_jobs_share_a_table_until_one_empties_it(project, url):
    target = "sqlite:///b.db?table=books"
    crawl = ["crawl", "books", "-a", f"url={url}", "--max-pages", "5"]
    assert run(*crawl, "-o", target).returncode == 0
    second = run(*crawl, "-o", target)
    assert "can't be resumed" not in second.stderr
    with closing(sqlite3.connect("b.db")) as db:
        counts = db.execute("SELECT count(*) FROM books GROUP BY _job").fetchall()
        assert len(counts) == 2
        third = run(*crawl, "-O", target)
        assert third.stderr.count("had not finished, and can't be resumed any more") == 2
        assert db.execute("SELECT count(*) FROM books GROUP BY _job").fetchall() == counts[:1]


def test_items_of_a_repaired_job_are_in_the_table_once(project, url):
    assert run("crawl", "books", "-a", f"url={url}", "-O", "sqlite:///b.db?table=books").returncode == 0
    (job,) = (project / ".scrapekit" / "jobs").iterdir()
    with (job / "items.jsonl").open("r+b") as spool:
        spool.truncate(spool.seek(0, 2) // 2)
    repaired = run("jobs", "repair", job.name)
    assert " items are gone from " in repaired.stdout
    assert run("crawl", "books", "--resume").returncode == 0
    with closing(sqlite3.connect("b.db")) as db:
        assert sorted(db.execute("SELECT url, price FROM books").fetchall()) == expected(url)


def test_passwords_of_databases_are_shown_nowhere(project, url, postgres):
    from postgres import PASSWORD

    ran = run("crawl", "books", "-a", f"url={url}", "-O", postgres.url, "--max-pages", "2", "-v")
    assert ran.returncode == 0, ran.stderr
    (job,) = (project / ".scrapekit" / "jobs").iterdir()
    wrong = run(
        "crawl", "books", "-a", f"url={url}", "-O", postgres.url.replace("5", "6").replace(PASSWORD, PASSWORD + "x")
    )
    assert wrong.returncode == 2
    shown = "".join(
        each.stdout + each.stderr
        for each in (ran, wrong, run("jobs"), run("jobs", job.name), run("jobs", "repair", job.name))
    )
    assert "postgresql://***@127.0.0.1" in shown
    assert PASSWORD not in shown


class Pages(Spider):
    def parse(self, response):
        yield {"url": response.url, "size": len(response.body)}


def test_the_library_writes_to_tables_too(project, url):
    for _ in range(2):
        report = scrapekit.run(Pages, output="sqlite:///p.db?table=pages&key=url", overwrite=False, start_urls=[url])
    assert report.output == "sqlite:///p.db?table=pages&key=url"
    with closing(sqlite3.connect("p.db")) as db:
        [(found, job)] = db.execute("SELECT url, _job FROM pages").fetchall()
    assert found == url
    assert job.startswith("run-")


def test_rejected_items_of_a_crawl_into_a_table_lie_in_no_strange_folder(project, url):
    scrapekit.run(Strange, output="sqlite:///p.db", start_urls=[url])
    assert sorted(path.name for path in project.iterdir()) == ["p.db", "spiders"]


class Strange(Spider):
    def parse(self, response):
        yield {"what": object()}
