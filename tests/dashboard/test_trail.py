"""Slow and failing URLs, and the latest items, read beside the crawl or after it."""

from __future__ import annotations

import json
import sqlite3

import pytest

from scrapekit.cli import main
from scrapekit.dashboard import trail as trail_module
from scrapekit.dashboard.latest import Latest, written
from scrapekit.dashboard.trail import Trail
from scrapekit.engine.schema import SCHEMA
from scrapekit.errors import FrontierError

DONE, FAILED, PENDING = 2, 3, 0


@pytest.fixture
def ledger(tmp_path):
    """A ledger to write attempts to: ``add(request, seconds, error, state)``."""
    db = sqlite3.connect(tmp_path / "frontier.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    db.executescript(SCHEMA)

    def add(request, seconds=0.1, error=None, state=DONE, status=200):
        db.execute(
            "INSERT INTO requests (id, host, url, priority, depth, redirects, state) VALUES (?, 'a.example', ?, 0, 0, 0, ?)"
            " ON CONFLICT DO UPDATE SET state = excluded.state, attempts = attempts + 1",
            (request, f"http://user:secret@a.example/{request}", state),
        )
        db.execute(
            "INSERT INTO attempts (request, at, elapsed, status, bytes, error) VALUES (?, 1.0, ?, ?, 0, ?)",
            (request, seconds, status, error),
        )

    add.folder, add.db = tmp_path, db
    yield add
    db.close()


def paths(tried):
    return [int(each.url.rpartition("/")[2]) for each in tried]


def test_the_slowest_of_all_are_kept_while_the_ledger_grows(ledger):
    with Trail(ledger.folder) as trail:
        assert trail.seen().slowest == []
        for number in range(1, 31):
            ledger(number, seconds=number)
        assert paths(trail.seen().slowest) == list(range(30, 20, -1))
        ledger(31, seconds=25.5)
        assert paths(trail.seen().slowest)[:7] == [30, 29, 28, 27, 26, 31, 25]


def test_a_long_ledger_is_read_in_pieces(ledger, monkeypatch):
    monkeypatch.setattr(trail_module, "_ROWS", 3)
    for number in range(1, 41):
        ledger(number, seconds=number)
    with Trail(ledger.folder) as trail:
        assert paths(trail.seen().slowest)[0] == 15  # five pieces at a time
        trail.seen()
        assert paths(trail.seen().slowest)[0] == 40


def test_urls_fail_until_they_have_come_through(ledger):
    ledger(1, error="ConnectError: refused", state=PENDING, status=None)
    ledger(2, error="StatusError: status 404", state=FAILED, status=404)
    with Trail(ledger.folder) as trail:
        second, first = trail.seen().failing
        assert (first.state, first.error, first.status) == ("to be retried", "ConnectError: refused", None)
        assert (second.state, second.status) == ("failed", 404)
        ledger(1, error="ConnectError: again", state=PENDING, status=None)
        assert [each.error for each in trail.seen().failing] == ["ConnectError: again", "StatusError: status 404"]
        ledger(1)
        assert paths(trail.seen().failing) == [2]


def test_of_failing_urls_the_latest_are_shown(ledger):
    for number in range(1, 301):
        ledger(number, error="ConnectError: refused", state=FAILED)
    with Trail(ledger.folder) as trail:
        assert paths(trail.seen().failing) == list(range(300, 275, -1))


def test_passwords_are_masked_and_long_texts_cut(ledger):
    ledger(1, error="ConnectError: http://user:secret@proxy/ " + "x" * 9999, state=FAILED)
    with Trail(ledger.folder) as trail:
        [failing] = trail.seen().failing
    assert failing.url == "http://***@a.example/1"
    assert failing.error.startswith("ConnectError: http://***@proxy/ xxx")
    assert len(failing.error) == 2000


def test_a_job_without_a_ledger_is_said_to_have_none(tmp_path):
    with pytest.raises(FrontierError, match="the job's state can't be read: unable to open"):
        Trail(tmp_path).seen()
    (tmp_path / "frontier.sqlite").write_bytes(b"x" * 4096)
    with Trail(tmp_path) as trail, pytest.raises(FrontierError, match="can't be read"):
        trail.seen()


def test_the_latest_items_are_those_of_the_last_commits():
    latest = Latest()
    assert latest.items() == []
    latest.committed([b"1", b"2"], [])
    latest.committed([b"3"], [])
    assert [(item.n, item.text) for item in latest.items()] == [(0, "1"), (1, "2"), (2, "3")]
    latest.committed([b"%d" % number for number in range(4, 104)], [])
    assert [(item.n, item.text) for item in latest.items()] == [(number - 1, str(number)) for number in range(84, 104)]
    latest.committed([b"x" * 5000, b"\xff"], [])
    assert [item.text for item in latest.items()][-2:] == ["x" * 2000, "\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize(
    "options",
    [(), ("-o", "out.csv"), ("-o", "out.jsonl.gz", "-o", "out.csv"), ("-o", "out.jsonl.gz", "-o", "out.jsonl")],
    ids=["jsonl", "csv", "gz and csv", "gz and jsonl"],
)
def test_the_items_of_a_job_are_read_from_its_output(project, site, options):
    site.go.set()
    assert main(["crawl", "pages", "-a", f"url={site.url}", "-q", *options]) == 0
    [folder] = (project / ".scrapekit" / "jobs").iterdir()
    record = json.loads((folder / "job.json").read_text())
    with Trail(folder) as trail:
        position = trail.seen().position
    items = written(project, folder, [output["path"] for output in record["outputs"]], position)
    assert len(items) == 20
    assert {json.loads(item.text)["url"].startswith(site.url) for item in items} == {True}


def test_lines_that_are_not_committed_are_not_shown(tmp_path):
    (tmp_path / "out.jsonl").write_bytes(b"1\n2\n3\n4\n")
    assert [item.text for item in written(tmp_path, tmp_path, ["out.jsonl"], {"offset": 6})] == ["1", "2", "3"]


def test_of_a_long_output_the_end_is_read(tmp_path):
    (tmp_path / "out.jsonl").write_bytes(b"".join(b'{"n": %d, "x": "%s"}\n' % (n, b"x" * 4000) for n in range(200)))
    size = (tmp_path / "out.jsonl").stat().st_size
    items = written(tmp_path, tmp_path, ["out.jsonl"], {"offset": size})
    assert [item.text[:10] for item in items] == [f'{{"n": {n},' for n in range(180, 200)]


@pytest.mark.parametrize(
    ("output", "position"),
    [("-", {"offset": 4}), ("", {"offset": 4}), ("gone.jsonl", {"offset": 4}), ("out.csv", {"offset": 4}),
     ("out.jsonl.gz", {"offset": 4, "crc": 1}), ("out.jsonl", {})],
)  # fmt: skip
def test_what_is_no_file_of_lines_shows_no_items(tmp_path, output, position):
    for name in ("out.csv", "out.jsonl.gz", "out.jsonl"):
        (tmp_path / name).write_bytes(b"1\n2\n")
    assert written(tmp_path, tmp_path, [output], position) == []
