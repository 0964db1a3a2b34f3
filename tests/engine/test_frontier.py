import contextlib
import sqlite3

import pytest

from scrapekit.engine import Frontier
from scrapekit.engine.batch import Batch
from scrapekit.engine.schema import FAILED
from scrapekit.errors import FrontierError
from scrapekit.messages import Request, link_of


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "frontier.sqlite")


@pytest.fixture
def frontier(path):
    opened = Frontier(path)
    yield opened
    opened.close()


def link(url, **arguments):
    return link_of(Request(url, **arguments))


def add(frontier, *urls, **arguments):
    """Add requests as the links of a page; how many were new."""
    batch = Batch()
    for new in (link(url, **arguments) for url in urls):
        if new.fingerprint is None or frontier.seen.add(new.fingerprint):
            batch.add(new, depth=1, parent=None)
    with frontier.commit(batch):
        pass
    return len(batch.rows)


def lease(frontier, host="a.test", count=100):
    with frontier.commit(Batch()):
        return frontier.lease(host, count)


def end(frontier, *ids, **facts):
    batch = Batch()
    for number in ids:
        batch.end(number, **facts)
    with frontier.commit(batch):
        pass


def retry(frontier, number, not_before):
    batch = Batch()
    batch.retry(number, not_before, 1, 503, "StatusError: status 503")
    with frontier.commit(batch):
        pass


def rows(path, sql):
    """What a reader beside the crawl gets."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def reopened(path, in_flight=(), *, now=1000.0, quarantine_after=3):
    frontier = Frontier(path)
    gone = frontier.recover(in_flight, now, 600.0, quarantine_after)
    return frontier, gone


def test_a_request_is_stored_once(frontier):
    assert add(frontier, "http://a.test/1", "http://a.test/2") == 2
    assert add(frontier, "http://a.test/2", "http://a.test/2#part", "http://a.test/3") == 1
    assert frontier.counts()["pending"] == 3


def test_dont_filter_stores_it_again(frontier):
    add(frontier, "http://a.test/1")
    assert add(frontier, "http://a.test/1", "http://a.test/1", dont_filter=True) == 2
    assert [queued.request.dont_filter for queued in lease(frontier)] == [False, True, True]


def test_the_highest_priority_is_leased_first_then_the_first_found(frontier):
    add(frontier, "http://a.test/1", "http://a.test/2")
    add(frontier, "http://a.test/3", priority=2)
    add(frontier, "http://a.test/4", priority=-1)
    add(frontier, "http://b.test/5", priority=9)
    assert sorted(queued.id for queued in lease(frontier, count=2)) == [1, 3]
    assert [queued.id for queued in lease(frontier, count=2)] == [2, 4]
    assert lease(frontier) == []


def test_a_lease_has_all_that_the_request_had(frontier):
    request = Request(
        "http://a.test/x", "parse_x", method="POST", json={"a": 1}, headers={"X-A": "b"}, meta={"m": [1]},
        cb_kwargs={"k": "v"}, priority=7, errback="failed", session="s", timeout=3, delay=1.5, handle_statuses=(404,),
    )  # fmt: skip
    batch = Batch()
    batch.add(link_of(request), depth=3, parent=None, redirects=2)
    with frontier.commit(batch):
        (queued,) = frontier.lease("a.test", 1)
    assert queued.request == request
    assert (queued.id, queued.host, queued.depth, queued.redirects, queued.attempt) == (1, "a.test", 3, 2, 0)


def test_a_commit_is_all_or_nothing(frontier):
    add(frontier, "http://a.test/1", "http://a.test/2")
    lease(frontier)
    batch = Batch()
    batch.end(1)
    new = link("http://a.test/3")
    frontier.seen.add(new.fingerprint)
    batch.add(new, 1, 1)
    batch.add(link("http://a.test/1", dont_filter=True), 1, 1)
    batch.holds.append(("a.test", 5000.0, "Retry-After"))
    batch.robots.append(("http://a.test", 1.0, 200, b"x"))
    batch.scope.append(("a.test",))
    batch.meta["output"] = {"offset": 7}
    with pytest.raises(ZeroDivisionError):  # noqa: SIM117  (the body of the inner with is the point)
        with frontier.commit(batch):
            frontier.lease("a.test", 5)
            raise ZeroDivisionError
    assert frontier.counts()["leased"] == 2
    assert frontier.counts()["pending"] == 0
    assert frontier.get("output") is None
    assert (frontier.holds(0), frontier.robots("http://a.test"), frontier.scope()) == ([], None, [])
    assert new.fingerprint not in frontier.seen
    assert link("http://a.test/1").fingerprint in frontier.seen
    with frontier.commit(batch):
        pass
    assert frontier.counts()["done"] == 1
    assert frontier.counts()["pending"] == 2
    assert frontier.get("output") == {"offset": 7}
    assert frontier.holds(0) == [("a.test", 5000.0, "Retry-After")]
    assert frontier.robots("http://a.test") == (1.0, 200, b"x")
    assert frontier.scope() == ["a.test"]


def test_what_is_not_leased_can_not_be_ended(frontier):
    add(frontier, "http://a.test/1")
    with pytest.raises(FrontierError, match="open elsewhere"):
        end(frontier, 1)


def test_leases_that_are_given_back_are_pending(frontier):
    add(frontier, "http://a.test/1", "http://a.test/2")
    with frontier.commit(Batch()):
        frontier.lease("a.test", 2)
        frontier.give_back([])
        frontier.give_back([2])
    assert [queued.id for queued in lease(frontier)] == [2]


def test_a_later_hold_is_not_cut_short_by_an_earlier_one(frontier):
    batch = Batch()
    batch.holds += [("a.test", 900.0, "Retry-After"), ("a.test", 100.0, "Retry-After")]
    with frontier.commit(batch):
        pass
    assert frontier.holds(50) == [("a.test", 900.0, "Retry-After")]
    assert frontier.holds(900) == []


def test_retries_wait_and_are_promoted_when_their_time_has_come(frontier):
    add(frontier, "http://a.test/1", "http://a.test/2", "http://b.test/3")
    add(frontier, "http://a.test/4", priority=5)
    lease(frontier)
    lease(frontier, "b.test")
    assert frontier.next_retry() is None
    for number, not_before in ((1, 10.0), (2, 20.0), (3, 10.5), (4, 10.0)):
        retry(frontier, number, not_before)
    assert frontier.next_retry() == 10.0
    assert lease(frontier) == []
    with frontier.commit(Batch()):
        assert frontier.promote(9.9) == {}
        assert frontier.promote(10.5) == {"a.test": 5, "b.test": 0}
    assert frontier.next_retry() == 20.0
    assert [(queued.id, queued.attempt) for queued in lease(frontier, count=1)] == [(4, 1)]


def test_hosts_come_in_the_order_of_their_names(frontier):
    add(frontier, "http://c.test/", "http://a.test/", "http://b.test/", "http://d.test/")
    lease(frontier, "c.test")
    assert frontier.hosts_after("", 2) == ["a.test", "b.test"]
    assert frontier.hosts_after("b.test", 2) == ["d.test"]
    assert frontier.hosts_after("d.test", 2) == []


def test_a_redirect_chain_is_known_from_its_end(frontier):
    urls = [f"http://a.test/{n}" for n in range(4)]
    add(frontier, urls[0])
    for n in (1, 2, 3):  # 0 links to 1, which redirects to 2, which redirects to 3
        batch = Batch()
        batch.add(link(urls[n]), 1, n, redirects=n - 1)
        with frontier.commit(batch):
            pass
    chain = [link(url).fingerprint for url in urls]
    assert frontier.redirect_chain(4) == {chain[1], chain[2], chain[3]}
    assert frontier.redirect_chain(2) == {chain[1]}
    add(frontier, urls[0], dont_filter=True)
    assert frontier.redirect_chain(5) == set()


def test_a_resume_gives_all_leases_back_at_once(path, frontier):
    add(frontier, "http://a.test/1", "http://a.test/2", "http://a.test/3")
    lease(frontier)
    end(frontier, 1, status=200)
    frontier.close()
    frontier, gone = reopened(path)
    assert gone == []
    assert [queued.id for queued in lease(frontier)] == [2, 3]
    frontier.close()


def test_only_what_was_in_flight_is_charged_with_a_crash_and_quarantined_at_last(path, frontier):
    add(frontier, "http://a.test/1", "http://a.test/2")
    lease(frontier)
    frontier.close()
    for crash in (1, 2):
        frontier, gone = reopened(path, in_flight=[2])
        assert gone == []
        assert [(queued.id, queued.crashes) for queued in lease(frontier)] == [(1, 0), (2, crash)]
        frontier.close()
    frontier, gone = reopened(path, in_flight=[2])
    assert gone == ["http://a.test/2"]
    assert frontier.counts()["quarantined"] == 1
    assert [queued.id for queued in lease(frontier)] == [1]
    frontier.close()


def test_a_crash_does_not_touch_what_is_finished(path, frontier):
    add(frontier, "http://a.test/1")
    lease(frontier)
    end(frontier, 1, status=200)
    frontier.close()
    frontier, gone = reopened(path, in_flight=[1, 999], quarantine_after=1)
    assert gone == []
    assert frontier.counts()["done"] == 1
    frontier.close()


def test_waits_from_a_clock_that_was_wrong_end(path, frontier):
    add(frontier, "http://a.test/1", "http://a.test/2")
    lease(frontier)
    retry(frontier, 1, 1e12)
    retry(frontier, 2, 1100.0)
    batch = Batch()
    batch.holds += [("a.test", 1e12, "Retry-After"), ("b.test", 1100.0, "Retry-After")]
    batch.robots += [("http://a.test", 1e12, 200, b""), ("http://b.test", 900.0, 200, b"")]
    with frontier.commit(batch):
        pass
    frontier.close()
    frontier, _ = reopened(path, now=1000.0)
    assert sorted(until for _, until, _ in frontier.holds(0)) == [1100.0, 1600.0]
    assert [frontier.robots(f"http://{host}.test")[0] for host in "ab"] == [1000.0, 900.0]  # so it grows old in time
    with frontier.commit(Batch()):
        frontier.promote(1599)
        frontier.promote(1600)
    assert len(lease(frontier)) == 2
    frontier.close()


def test_released_leases_are_pending(frontier):
    add(frontier, "http://a.test/1")
    lease(frontier)
    frontier.release()
    assert frontier.counts()["pending"] == 1


def test_meta_survives(path, frontier):
    batch = Batch()
    batch.meta |= {"stats": {"pages": 3}, "seeds_done": True}
    with frontier.commit(batch):
        pass
    frontier.close()
    frontier, _ = reopened(path)
    assert frontier.get("stats") == {"pages": 3}
    assert frontier.get("seeds_done") is True
    assert frontier.get("unknown", 5) == 5
    frontier.close()


def test_it_can_be_read_with_plain_sql_while_it_is_open(path, frontier):
    add(frontier, "http://a.test/1")
    lease(frontier)
    end(frontier, 1, state=FAILED, status=404, error="StatusError 404")
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = reader.execute("SELECT url, state, status, error FROM urls").fetchall()
    reader.close()
    assert rows == [("http://a.test/1", "failed", 404, "StatusError 404")]


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_durability_is_how_sqlite_syncs(path, durability, synchronous):
    frontier = Frontier(path, durability)
    assert frontier._db.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert frontier._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    frontier.close()


def refusal(path):
    with pytest.raises(FrontierError) as caught:
        Frontier(str(path))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_another_version_is_refused(path, frontier):
    frontier._db.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    frontier.close()
    assert "another version of scrapekit (schema 99" in refusal(path)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "text"
    path.write_text("hello " * 1000)
    assert "not a database" in refusal(path)


def test_a_path_that_can_not_be_opened_is_refused(tmp_path):
    assert "unable to open" in refusal(tmp_path / "missing" / "frontier.sqlite")
    assert "unable to open" in refusal(tmp_path)


def test_the_database_of_something_else_is_refused(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE meta (name TEXT)")
    other.close()
    assert "no such column" in refusal(path)


def test_a_database_that_can_not_be_written_says_so_in_one_line(path, frontier):
    frontier._db.execute("PRAGMA query_only = 1")
    with pytest.raises(FrontierError, match="readonly database"):
        add(frontier, "http://a.test/")


def test_a_database_that_another_writer_has_says_so_in_one_line(path, frontier):
    frontier._db.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(FrontierError, match="database is locked"):
        add(frontier, "http://a.test/")
    other.execute("ROLLBACK")
    other.close()
    assert add(frontier, "http://a.test/") == 1


def test_a_transaction_that_sqlite_has_ended_itself_is_an_error(frontier):
    with pytest.raises(FrontierError, match="no transaction"), frontier.commit(Batch()):
        frontier._db.execute("ROLLBACK")  # as SQLite does when the disk is full
    assert add(frontier, "http://a.test/") == 1


def test_a_closed_database_can_not_be_used(frontier):
    frontier.close()
    frontier.close()
    with pytest.raises(FrontierError):
        frontier.counts()


def test_a_temporary_frontier_needs_no_file():
    frontier = Frontier("")
    assert add(frontier, "http://a.test/") == 1
    frontier.close()


def test_millions_of_pending_requests_are_leased_by_index(frontier):
    plans = [
        frontier._db.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
        for sql, values in (
            (
                "SELECT id FROM requests WHERE state = 0 AND not_before = 0 AND host = ? ORDER BY priority DESC, id LIMIT 9",
                ("h",),
            ),
            ("SELECT host FROM requests WHERE state = 0 AND not_before = 0 AND host > ? ORDER BY host LIMIT 1", ("h",)),
            ("SELECT min(not_before) FROM requests WHERE state = 0 AND not_before > 0", ()),
        )
    ]
    assert all("USING" in row[3] and "INDEX" in row[3] for plan in plans for row in plan), plans
    assert not any("TEMP B-TREE" in row[3] for plan in plans for row in plan), plans


def test_what_was_found_is_known_after_a_resume(path, frontier):
    add(frontier, *(f"http://a.test/{n}" for n in range(50)))
    add(frontier, "http://a.test/0", dont_filter=True)
    frontier.close()
    frontier, _ = reopened(path)
    assert len(frontier.seen) == 50
    assert add(frontier, *(f"http://a.test/{n}" for n in range(60))) == 10
    frontier.close()


def test_a_request_that_is_admitted_is_leased_as_it_is_added(path, frontier):
    batch, asked = Batch(), []
    for number, new in enumerate([link("http://a.test/1"), link("http://b.test/2"), link("http://a.test/3")]):
        batch.add(new, number, None)

    def admit(number, row):
        asked.append((number, row.url))
        return row.host == "a.test"

    with frontier.commit(batch, admit):
        pass
    assert asked == [(1, "http://a.test/1"), (2, "http://b.test/2"), (3, "http://a.test/3")]
    assert frontier.counts() | {"leased": 2, "pending": 1} == frontier.counts()
    assert lease(frontier) == []
    end(frontier, 1, 3)
    frontier.close()
    frontier, _ = reopened(path)
    assert [queued.id for queued in lease(frontier, "b.test")] == [2]
    frontier.close()


def test_numbers_go_on_after_a_commit_that_failed_and_after_a_resume(path, frontier):
    add(frontier, "http://a.test/1")
    batch = Batch()
    batch.add(link("http://a.test/2"), 0, None)
    with pytest.raises(ZeroDivisionError):  # noqa: SIM117
        with frontier.commit(batch):
            raise ZeroDivisionError
    add(frontier, "http://a.test/3")
    frontier.close()
    frontier, _ = reopened(path)
    add(frontier, "http://a.test/4")
    assert [(queued.id, queued.request.url[-1]) for queued in lease(frontier)] == [(1, "1"), (2, "3"), (3, "4")]
    frontier.close()


def test_when_a_request_came_and_ended_is_written_down(frontier, path):
    batch = Batch()
    for url in ("http://a.test/1", "http://a.test/2"):
        batch.add(link(url), 1, None)
    with frontier.commit(batch, lambda number, row: True, 1000.0):
        pass
    batch = Batch()
    batch.end(1, status=200)
    batch.retry(2, 1500.0, 1, 503, "StatusError: status 503")
    with frontier.commit(batch, None, 1002.5):
        pass
    assert rows(path, "SELECT id, queued, finished, not_before FROM urls") == [
        (1, 1000.0, 1002.5, None),
        (2, 1000.0, None, 1500.0),
    ]


def test_attempts_are_committed_with_what_became_of_them(frontier, path):
    add(frontier, "http://a.test/1")
    lease(frontier)
    batch = Batch()
    batch.end(1, status=200)
    batch.attempts.append((1, 1000.0, 0.25, 200, 14, None, None))
    with pytest.raises(ZeroDivisionError):  # noqa: SIM117  (the body of the inner with is the point)
        with frontier.commit(batch):
            raise ZeroDivisionError
    assert rows(path, "SELECT * FROM attempts") == []
    with frontier.commit(batch):
        pass
    assert rows(path, "SELECT * FROM attempts") == [(1, 1, 1000.0, 0.25, 200, 14, None, None)]


def test_a_death_of_the_process_is_an_attempt_of_what_was_in_flight(frontier, path):
    add(frontier, "http://a.test/1", "http://a.test/2", "http://a.test/3")
    lease(frontier)
    end(frontier, 3, status=200)
    frontier.close()
    again, gone = reopened(path, [1, 3], now=1000.0, quarantine_after=1)
    again.close()
    assert gone == ["http://a.test/1"]
    assert rows(path, "SELECT request, at, error FROM attempts") == [(1, 1000.0, "Lost: the process died")]
    assert rows(path, "SELECT state, finished FROM urls WHERE id = 1") == [("quarantined", 1000.0)]


# What docs/ledger.md promises for all of a major version. To add a column is allowed; then add it here.
PUBLIC = {
    "urls": "id url state status error attempts depth parent host callback priority redirects not_before crashes "
    "queued finished",
    "attempts": "id request at elapsed status bytes error location",
    "hosts": "host not_before reason",
    "robots": "origin fetched status body",
    "rejected": "request record",
    "scope": "host",
    "written": "id at position lines digest items_of keys",
    "states": "state name",
    "meta": "key value",
}


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_tables_keep_their_columns(frontier, path, name):
    assert [column for _, column, *_ in rows(path, f"PRAGMA table_info({name})")] == PUBLIC[name].split()


def test_the_version_stands_in_meta(frontier, path):
    assert rows(path, "SELECT value FROM meta WHERE key = 'version'") == [("7",)]
